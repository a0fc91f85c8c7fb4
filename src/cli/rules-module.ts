// Rules on the command line: the name of a preset, a JSON file, or a module that exports a composite and custom rules.
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CompileOptions } from '../api/compile.js';
import { RelcError } from '../ir/error.js';
import { parseComposite } from '../rules/composite-file.js';
import { expectFile, readText } from './files.js';

export type OpenedRules = Pick<CompileOptions, 'rules' | 'customRules'>;

/** Whether --rules names a file and not a preset. */
export const isRulesFile = (rules: string) => /\.(m?js|json)$/.test(rules);

const isModule = (rules: string) => /\.m?js$/.test(rules);

/**
 * What --rules names. A JSON file holds a composite, or a preset as plain data. A module's default export is a
 * composite, a preset or a preset's name; its export `customRules` holds the rules that the composite names.
 * @throws RelcError RELC5002 (no such file, or it could not be imported), RELC3007 (it holds no rules, or wrong ones)
 */
export async function openRules(rules: string): Promise<OpenedRules> {
  if (!isRulesFile(rules)) return { rules };
  if (!isModule(rules)) return { rules: parseComposite(await readText(rules), rules) };
  await expectFile(rules);
  let module: OpenedRules & { readonly default?: CompileOptions['rules'] };
  try {
    module = (await import(pathToFileURL(resolve(rules)).href)) as typeof module;
  } catch (error) {
    const detail = `${rules} could not be imported: ${(error as Error).message}`;
    throw new RelcError('RELC5002', detail, undefined, { cause: error });
  }
  if (module.default === undefined) {
    throw new RelcError(
      'RELC3007',
      `${rules} exports no rules`,
      'export a composite, or the name of a preset, as default; and the rules it names as `customRules`',
    );
  }
  const { default: chosen, customRules } = module;
  return { rules: chosen, ...(customRules === undefined ? {} : { customRules }) };
}
