// Labels: names of classes, from a file or a manifest.
import type { Manifest } from '../codegen/manifest.js';
import { RelcError } from '../ir/error.js';
import { parseJson, readText } from './files.js';

/** A name a line, or a JSON list of names. @throws RelcError RELC5002, RELC5003 */
export async function openLabels(path: string | undefined, manifest: Manifest): Promise<readonly string[]> {
  if (path === undefined) return manifest.labels ?? [];
  const text = await readText(path);
  if (!text.trimStart().startsWith('[')) return text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const list = parseJson(text, path);
  if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
  throw new RelcError('RELC5003', `${path} is not a list of names`, 'write one name a line, or a JSON list');
}

/** The class that `wanted` names: a label, or a number. @throws RelcError RELC4003 */
export function classNamed(wanted: string, labels: readonly string[]): number {
  const index = labels.indexOf(wanted);
  if (index >= 0) return index;
  if (/^\d+$/.test(wanted)) return Number(wanted);
  const hint =
    labels.length > 0
      ? `labels: ${labels.join(', ')}`
      : 'no labels are known: pass --labels FILE, or a number';
  throw new RelcError('RELC4003', `no class is called '${wanted}'`, hint);
}

/** The classes that a list of labels or numbers names: `roses,daisy`; a label may hold commas. @throws RelcError RELC4003 */
export function classesNamed(wanted: string, labels: readonly string[]): number[] {
  const names = labels.includes(wanted) ? [wanted] : wanted.split(',').map((name) => name.trim());
  return names.map((name) => classNamed(name, labels));
}

export function labelOf(index: number, labels: readonly string[]): string {
  return labels[index] ?? `class ${index}`;
}
