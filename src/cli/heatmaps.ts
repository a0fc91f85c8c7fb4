// What relc explain writes: one picture of all heatmaps, and the numbers as arrays.
import { extname } from 'node:path';
import type { Explanation } from '../api/explainer.js';
import { RelcError } from '../ir/error.js';
import type { write } from './files.js';
import { explainsTokens, hasPatches } from './patches/maps.js';
import { drawPatches } from './patches/picture.js';
import { renderHeatmap } from './picture/heatmap.js';
import { encodeNpy } from './picture/npy.js';
import { encodePicture, type Picture } from './picture/picture.js';
import { sideBySide } from './picture/side-by-side.js';
import { heatAt, type Subject, subjectName, valuesOf } from './subject.js';

/** One heatmap, of an explanation at a value. */
function drawn(subject: Subject, explanation: Explanation, name: string): Picture[] {
  const { input, method } = subject;
  const heat = heatAt(subject, name, explanation);
  if (heat === undefined) return [];
  const at = subject.explainer.request.relevanceOf === undefined ? '' : ` at ${name}`;
  const title = `${subjectName(subject, explanation)}  ${method}${at}`;
  const beneath = input.picture === undefined ? {} : { picture: input.picture };
  return [renderHeatmap(heat, { ...beneath, title })];
}

/** The heatmaps of an explanation: one a value, or of patches one with all blocks. */
function drawnFor(subject: Subject, explanation: Explanation): Picture[] {
  const { explainer, input, method, drawing } = subject;
  if (!hasPatches(subject)) return valuesOf(subject).flatMap((name) => drawn(subject, explanation, name));
  const title = `${subjectName(subject, explanation)}  ${method}`;
  return [drawPatches({ explainer, explanation, drawing }, input.picture, title)];
}

/**
 * Writes the heatmaps side by side, a row for each class where there are several values.
 * @throws RelcError RELC5001 where nothing is a picture, RELC5002
 */
async function saveHeatmaps(path: string, subject: Subject, save: typeof write): Promise<void> {
  const names = valuesOf(subject);
  const pictures = subject.explanations.flatMap((explanation) => drawnFor(subject, explanation));
  if (pictures.length === 0) {
    const { shape } = subject.explanations[0]!.relevance;
    throw new RelcError(
      'RELC5001',
      `relevance of shape [${shape}] is no picture`,
      explainsTokens(subject.explainer)
        ? 'say how patches lie with --grid HxW, or save it with --save-relevance r.npy'
        : 'save it with --save-relevance r.npy',
    );
  }
  const ofClass = pictures.length / subject.explanations.length;
  const columns = names.length > 1 && subject.explanations.length > 1 ? ofClass : 4;
  await save(path, encodePicture(sideBySide(pictures, columns)));
}

/** `r.npy`, or of several values `r.block3_conv2.npy`. */
export function arrayPath(path: string, name: string, isOne: boolean): string {
  const ending = extname(path);
  const stem = path.slice(0, path.length - ending.length);
  return isOne ? path : `${stem}.${name.replace(/[^A-Za-z0-9_-]+/g, '_')}${ending}`;
}

/** Writes the relevance of each value, a row for each class. @returns the paths */
async function saveArrays(path: string, subject: Subject, save: typeof write): Promise<string[]> {
  const names = valuesOf(subject);
  const paths: string[] = [];
  for (const name of names) {
    const values = subject.explanations.map(({ relevances }) => relevances[name]!);
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
  /** A picture that is asked for. */
  readonly out: string | undefined;
  readonly arrays: string | undefined;
  /** A picture where there is something to draw. */
  readonly usual: string | undefined;
  readonly save: typeof write;
}

/**
 * Writes the files that the options ask for, and a picture of what can be drawn where `usual` names one.
 * @returns the paths
 * @throws RelcError RELC5001 where a picture is asked for of what is none, RELC5002
 */
export async function saveFiles(subject: Subject, { out, arrays, usual, save }: Saving): Promise<string[]> {
  const saved: string[] = [];
  const canDraw =
    hasPatches(subject) ||
    valuesOf(subject).some((name) => heatAt(subject, name, subject.explanations[0]!) !== undefined);
  const picture = out ?? (canDraw ? usual : undefined);
  if (picture !== undefined) {
    await subject.watch.time('draw', () => saveHeatmaps(picture, subject, save));
    saved.push(picture);
  }
  return arrays === undefined ? saved : [...saved, ...(await saveArrays(arrays, subject, save))];
}
