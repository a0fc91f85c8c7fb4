// Composites as data: what a user passes as rules or keeps in a file, checked field by field; and presets as such files.
import { RelcError } from '../ir/error.js';
import { forward } from '../ir/forward.js';
import { nearNames } from '../ir/near-names.js';
import { stated } from '../ir/stated.js';
import type { AttentionMethod } from './attention/method.js';
import { type Composite, kinds } from './composite.js';
import { base, type Preset, presetNamed, results, type Seed, seeds } from './presets.js';

/** A preset of a user's own as plain data: a {@link Preset} is one. Only the composite has to be stated. */
export interface CompositeFile {
  /** Defaults to `custom`, or to the file's name. */
  readonly name?: string;
  readonly summary?: string;
  readonly source?: string;
  /** `base`, or a preset: its lines follow after one's own, and seed, quantity and result are its own. */
  readonly extends?: string;
  /** Lines `[name, match, { rule, params? }]`; the first that matches an op chooses its rule. */
  readonly composite: Composite;
  /** Defaults to `logit`. */
  readonly seed?: Seed;
  /** Defaults to `relevance`. */
  readonly quantity?: Preset['quantity'];
  /** Defaults to `as it is`. */
  readonly result?: Preset['result'];
  /** How attention matrices become the relevance of tokens: where the result is `attention`. */
  readonly attention?: AttentionMethod;
}

/** A preset's name, a preset, or a plain composite. */
export type Rules = string | CompositeFile | Composite;

/** What is wrong with a value: undefined, or what was wanted, and names to choose from. */
type Problem = { readonly wanted: string; readonly names?: readonly string[] } | undefined;
type Test = (value: unknown) => Problem;
type Fields = Readonly<Record<string, Test>>;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text: Test = (value) => (typeof value === 'string' ? undefined : { wanted: 'a text' });
const list: Test = (value) => (Array.isArray(value) ? undefined : { wanted: 'a list of lines' });
const yes: Test = (value) => (value === true ? undefined : { wanted: 'true, or to be left out' });
const record: Test = (value) => (isRecord(value) ? undefined : { wanted: 'an object' });

const oneOf =
  (names: readonly string[]): Test =>
  (value) =>
    names.includes(value as string) ? undefined : { wanted: 'one of these names', names };

const someOf =
  (names: readonly string[]): Test =>
  (value) => {
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    const wrong = items.length === 0 ? undefined : items.find((item) => !names.includes(item as string));
    return items.length > 0 && wrong === undefined ? undefined : { wanted: 'names out of these', names };
  };

const span: Test = (value) =>
  Array.isArray(value) && value.length === 2 && value.every(Number.isInteger)
    ? undefined
    : { wanted: '[from, to], two whole numbers counted from 0, or from −1 at the end' };

const fileFields: Fields = {
  name: text,
  summary: text,
  source: text,
  extends: text,
  composite: list,
  seed: oneOf(seeds),
  quantity: oneOf(['relevance', 'gradient']),
  result: oneOf(results),
  attention: record,
};

const whole: Test = (value) => (Number.isInteger(value) ? undefined : { wanted: 'a whole number' });
const flag: Test = (value) => (typeof value === 'boolean' ? undefined : { wanted: 'true or false' });

const attentionFields: Fields = {
  of: oneOf(['attention', 'relevance']),
  timesGradient: flag,
  combine: oneOf(['rollout', 'row', 'grad-cam']),
  block: whole,
  normalizeRows: flag,
};

const matchFields: Fields = {
  kind: someOf(Object.keys(kinds)),
  op: someOf(Object.keys(forward)),
  name: text,
  first: yes,
  last: yes,
  layers: span,
};

const choiceFields: Fields = { rule: text, params: record };

const wrong = (detail: string, hint?: string) => new RelcError('RELC3007', detail, hint);

/** @throws RelcError RELC3007 naming a field that is unknown or wrong, with near names */
function checkFields(value: unknown, fields: Fields, where: string): void {
  if (!isRecord(value)) throw wrong(`${where} is ${JSON.stringify(value)}, expected an object`);
  const known = Object.keys(fields);
  for (const [field, item] of Object.entries(value)) {
    if (!Object.hasOwn(fields, field)) {
      throw wrong(
        `${where} has an unknown field '${field}'`,
        `fields: ${nearNames(field, known).join(', ')}`,
      );
    }
    const problem = item === undefined ? undefined : fields[field]!(item);
    if (problem === undefined) continue;
    const { wanted, names } = problem;
    throw wrong(
      `${where}: ${field} is ${JSON.stringify(item)}, expected ${wanted}`,
      names && `names: ${nearNames(String(item), names).join(', ')}`,
    );
  }
}

/** @throws RelcError RELC3007 */
function checkLine(line: unknown, index: number, where: string): void {
  const number = `${where}, line ${index + 1}`;
  if (!Array.isArray(line) || line.length !== 3 || typeof line[0] !== 'string') {
    throw wrong(
      `${number} of the composite is ${JSON.stringify(line)}, expected [name, match, { rule, params? }]`,
      'for example ["first layer", {"kind": ["conv", "dense"], "first": true}, {"rule": "flat"}]',
    );
  }
  const [name, match, choice] = line as unknown[];
  const place = `${number} '${name}' of the composite`;
  checkFields(match, matchFields, `${place}, match`);
  checkFields(choice, choiceFields, `${place}, rule`);
  if ((choice as { rule?: unknown }).rule === undefined) throw wrong(`${place} names no rule`);
}

/** The preset, or the base, that a file extends. @throws RelcError RELC3003 */
const extended = (name: string | undefined): Partial<Preset> =>
  name === undefined ? {} : name === 'base' ? { composite: base } : presetNamed(name);

/** How attention becomes relevance: as stated, else as in what is extended. @throws RelcError RELC3007 */
function attentionOf(
  { attention, result }: CompositeFile,
  parent: Partial<Preset>,
  where: string,
): AttentionMethod | undefined {
  const method = attention ?? (result === undefined ? parent.attention : undefined);
  const asked = result ?? parent.result;
  if ((asked === 'attention') !== (method !== undefined)) {
    throw wrong(
      `${where}: result is ${JSON.stringify(asked ?? 'as it is')}, and attention is ${method === undefined ? 'not ' : ''}stated`,
      'state both, result: "attention" and attention: { of, timesGradient, combine, block, normalizeRows }, or extend a preset that does',
    );
  }
  if (method === undefined) return undefined;
  checkFields(method, attentionFields, `${where}, attention`);
  const missing = Object.keys(attentionFields).find((field) => !Object.hasOwn(method, field));
  if (missing !== undefined) throw wrong(`${where}, attention: ${missing} is missing`);
  if (method.combine === 'grad-cam' && !method.timesGradient) {
    throw wrong(`${where}, attention: grad-cam weighs heads by their gradient, and timesGradient is false`);
  }
  return method;
}

/**
 * The preset that rules stand for. The names and parameters of rules are checked when they are resolved.
 * @param where  what the rules are called in messages: `rules`, or the name of their file
 * @throws RelcError RELC3003 (no such preset), RELC3007 (an unknown or a wrong field, with its line)
 */
export function presetOf(rules: Rules, where = 'rules'): Preset {
  if (typeof rules === 'string') return presetNamed(rules);
  const file = (Array.isArray(rules) ? { composite: rules } : rules) as CompositeFile;
  checkFields(file, fileFields, where);
  if (file.composite === undefined) throw wrong(`${where} has no composite`, 'state it: composite: [lines]');
  for (const [index, line] of file.composite.entries()) checkLine(line, index, where);
  const parent = extended(file.extends);
  const attention = attentionOf(file, parent, where);
  return {
    name: file.name ?? 'custom',
    summary: file.summary ?? 'rules of your own',
    source: file.source ?? where,
    composite: [...file.composite, ...(parent.composite ?? [])],
    seed: file.seed ?? parent.seed ?? 'logit',
    quantity: file.quantity ?? parent.quantity ?? 'relevance',
    result: file.result ?? parent.result ?? 'as it is',
    ...stated({ attention }),
  };
}

/**
 * Reads a file of rules: an object with a composite, or a list of lines.
 * @param where  the file, for messages; without its folders and its ending it is the default name
 * @throws RelcError RELC3003, RELC3007 (also where the text is not JSON)
 */
export function parseComposite(text: string, where: string): Preset {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RelcError('RELC3007', `${where} is not JSON: ${(error as Error).message}`, undefined, {
      cause: error,
    });
  }
  if (typeof value === 'string') throw wrong(`${where} is a text, expected an object or a list of lines`);
  const preset = presetOf(value as CompositeFile, where);
  const isNamed = isRecord(value) && value.name !== undefined;
  return isNamed ? preset : { ...preset, name: where.replace(/^.*[/\\]/, '').replace(/\.json$/, '') };
}

/** A value on one line, with spaces. */
function inLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inLine).join(', ')}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, item]) => `"${key}": ${inLine(item)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

/** A preset as the text of a file, a line of the composite on a line; {@link parseComposite} reads it again. */
export function printComposite({ composite, ...rest }: Preset): string {
  const fields = Object.entries(rest).map(([key, value]) => `  "${key}": ${inLine(value)}`);
  const lines = composite.map((line) => `    ${inLine(line)}`).join(',\n');
  return `{\n${[...fields, `  "composite": [\n${lines}\n  ]`].join(',\n')}\n}`;
}
