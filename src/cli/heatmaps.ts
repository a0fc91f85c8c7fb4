// What relc explain writes: one picture of all heatmaps, or a page of a text, and the numbers as arrays.
import { extname } from 'node:path';
import type { Values } from '../api/explainer.js';
import { RelcError } from '../ir/error.js';
import type { write } from './files.js';
import { explainsTokens, hasPatches } from './patches/maps.js';
import { drawPatches } from './patches/picture.js';
import { renderHeatmap } from './picture/heatmap.js';
import { encodeNpy } from './picture/npy.js';
import { encodePicture, type Picture } from './picture/picture.js';
import { sideBySide } from './picture/side-by-side.js';
import { countOfRules, heatAt, type Subject, subjectName, type View, valuesOf } from './subject.js';
import { type Origin, pageOf } from './text/page.js';
import { panelsOf } from './text/panels.js';

/** One heatmap, of a view at a value. */
function drawn(subject: Subject, view: View, name: string): Picture[] {
  const { input } = subject;
  const heat = heatAt(view, name);
  if (heat === undefined) return [];
  const at = view.explainer.request.relevanceOf === undefined ? '' : ` at ${name}`;
  const title = `${subjectName(subject, view)}  ${view.method}${at}`;
  const beneath = input.picture === undefined ? {} : { picture: input.picture };
  return [renderHeatmap(heat, { ...beneath, title })];
}

/** The heatmaps of a view: one a value, or of patches one with all blocks. */
function drawnFor(subject: Subject, view: View): Picture[] {
  const { input, drawing } = subject;
  if (!hasPatches({ ...view, drawing }))
    return valuesOf(subject).flatMap((name) => drawn(subject, view, name));
  const title = `${subjectName(subject, view)}  ${view.method}`;
  return [drawPatches({ ...view, drawing }, input.picture, title)];
}

/** Columns of the picture: a row for each class where there are several values or rules, and for each view with blocks. */
function columnsOf(subject: Subject, names: readonly string[]): number {
  if (subject.views.some(({ explainer }) => explainer.request.attention?.perBlock)) return 1;
  const ofClass = names.length * countOfRules(subject);
  return ofClass > 1 && subject.views.length * names.length > ofClass ? ofClass : 4;
}

/**
 * Writes the heatmaps side by side.
 * @throws RelcError RELC5001 where nothing is a picture, RELC5002
 */
async function saveHeatmaps(path: string, subject: Subject, save: typeof write): Promise<void> {
  const names = valuesOf(subject);
  const pictures = subject.views.flatMap((view) => drawnFor(subject, view));
  if (pictures.length === 0) {
    const { shape } = subject.views[0]!.explanation.relevance;
    throw new RelcError(
      'RELC5001',
      `relevance of shape [${shape}] is no picture`,
      explainsTokens(subject.views[0]!.explainer)
        ? 'say how patches lie with --grid HxW, or save it with --save-relevance r.npy'
        : 'save it with --save-relevance r.npy',
    );
  }
  await save(path, encodePicture(sideBySide(pictures, columnsOf(subject, names))));
}

/** `r.npy`, or of several values `r.block3_conv2.npy`. */
export function arrayPath(path: string, name: string, isOne: boolean): string {
  const ending = extname(path);
  const stem = path.slice(0, path.length - ending.length);
  return isOne ? path : `${stem}.${name.replace(/[^A-Za-z0-9_-]+/g, '_')}${ending}`;
}

/** Relevance at a value, a row for each view. @throws RelcError RELC5001 where rows would be of different shapes */
function rowsAt(name: string, views: readonly View[]): readonly Values[] {
  const values = views.map(({ explanation }) => explanation.relevances[name]);
  const [first, other] = new Set(values.map((row) => (row === undefined ? 'none' : `[${row.shape}]`)));
  if (other === undefined) return values as Values[];
  const detail = `the rules give relevance of different shapes at ${name}: ${first} and ${other}`;
  throw new RelcError('RELC5001', detail, 'save them in a run each');
}

/** Writes the relevance of each value, a row for each class and rules. @returns the paths */
async function saveArrays(path: string, subject: Subject, save: typeof write): Promise<string[]> {
  const names = valuesOf(subject);
  const paths: string[] = [];
  for (const name of names) {
    const values = rowsAt(name, subject.views);
    const [{ shape, data }] = values as [(typeof values)[0]];
    const all = new Float32Array(data.length * values.length);
    for (const [row, one] of values.entries()) all.set(one.data, row * data.length);
    const saved = arrayPath(path, name, names.length === 1);
    await save(saved, encodeNpy(all, [shape[0]! * values.length, ...shape.slice(1)]));
    paths.push(saved);
  }
  return paths;
}

/** Where files go, and how they are written. */
export interface Saving {
  /** A picture or a page that is asked for. */
  readonly out: string | undefined;
  readonly arrays: string | undefined;
  /** Where a picture goes that there is, and a page of a text. */
  readonly usual: { readonly picture: string; readonly page: string } | undefined;
  /** What pages say of where they come from. */
  readonly origin: Origin;
  readonly save: typeof write;
}

/** @throws RelcError RELC5001 where a picture is asked for of a text, or a page of what is none */
function expectKind(out: string, isText: boolean): void {
  const isPage = ['.html', '.htm'].includes(extname(out).toLowerCase());
  if (isPage === isText) return;
  const detail = isText ? 'a text is written as a page' : 'what is no text is written as a picture';
  throw new RelcError(
    'RELC5001',
    `--out ${out}: ${detail}`,
    `name a file that ends in ${isText ? '.html' : '.png'}`,
  );
}

/**
 * Writes the files that the options ask for, and a picture or a page of what can be shown where `usual` names them.
 * @returns the paths
 * @throws RelcError RELC5001 where a picture is asked for of what is none, RELC5002
 */
export async function saveFiles(
  subject: Subject,
  { out, arrays, usual, origin, save }: Saving,
): Promise<string[]> {
  const saved: string[] = [];
  const panels = panelsOf(subject);
  const isText = panels.length > 0;
  if (out !== undefined) expectKind(out, isText);
  const canDraw =
    subject.views.some((view) => hasPatches({ ...view, drawing: subject.drawing })) ||
    valuesOf(subject).some((name) => heatAt(subject.views[0]!, name) !== undefined);
  const path = out ?? (isText ? usual?.page : canDraw ? usual?.picture : undefined);
  if (path !== undefined) {
    await subject.watch.time('draw', async () => {
      if (isText) await save(path, pageOf(subject, panels, origin));
      else await saveHeatmaps(path, subject, save);
    });
    saved.push(path);
  }
  return arrays === undefined ? saved : [...saved, ...(await saveArrays(arrays, subject, save))];
}
