// Inputs on the command line: pictures, .npy arrays and JSON, as the numbers that a model takes.
import { extname } from 'node:path';
import type { Manifest } from '../codegen/manifest.js';
import { RelcError } from '../ir/error.js';
import type { Node } from '../ir/graph.js';
import { elementCount, printShape } from '../ir/type.js';
import { parseJson, readBytes, readText } from './files.js';
import { decodeNpy } from './picture/npy.js';
import { decodePicture, luminance, type Picture } from './picture/picture.js';
import { resizePicture } from './picture/resize.js';
import type { Reading } from './reading.js';
import type { NumbersByName } from './text/fill.js';
import { openIds, openText, type TokenText } from './text/open.js';
import { type ModelInputs, takesIds, tokenInputs } from './text/roles.js';

/** An input as the command line names it: a file, or a text as it is. */
export type Source = string | { readonly text: string };

export interface OpenedInput {
  /** By input of the model. */
  readonly values: NumbersByName;
  /** The tokens, where the input is a text or a row of ids. */
  readonly text?: TokenText;
  /** What was filled how. */
  readonly notes: readonly string[];
  /** The picture at the model's size, where the input was one. */
  readonly picture?: Picture;
  /** How pixels entered the model, where the input was a picture. */
  readonly scale?: readonly [number, number];
}

/** A number, or a fraction such as `1/127.5`. */
function parseNumber(text: string): number {
  const [numerator, denominator = '1', ...rest] = text.trim().split('/');
  return rest.length > 0 || numerator === '' ? Number.NaN : Number(numerator) / Number(denominator);
}

/** Two numbers, of an option that is written as `a,b`; undefined if it is not given. @throws RelcError RELC5001 */
export function parsePair(
  text: string | undefined,
  option: string,
  hint: string,
): readonly [number, number] | undefined {
  if (text === undefined) return undefined;
  const parts = text.split(',').map(parseNumber);
  if (parts.length === 2 && parts.every(Number.isFinite)) return parts as [number, number];
  throw new RelcError('RELC5001', `--${option} ${text} is not a pair of numbers`, hint);
}

/** `a,b` of `--scale`, if it is given. @throws RelcError RELC5001 */
export const parseScale = (text: string | undefined) =>
  parsePair(text, 'scale', 'write it like --scale 1/255,0 : a pixel p of 0..255 enters the model as p·a + b');

/** Height, width and channels of a picture input. */
function pictureLayout(node: Node, path: string): [number, number, number] {
  const dims = node.type.shape.slice(1) as number[];
  const [height, width, channels = 1] = dims;
  if ((dims.length === 2 || dims.length === 3) && (channels === 1 || channels === 3)) {
    return [height!, width!, channels];
  }
  throw new RelcError(
    'RELC5003',
    `${path} is a picture, but input ${node.name} is ${printShape(node.type.shape)}`,
    'pictures fit inputs [N, height, width, 1 or 3]; give other inputs as .npy or JSON',
  );
}

/** @throws RelcError RELC5003 (no picture, or not for this model), RELC5004 (another size than the manifest's) */
function fromPicture(
  bytes: Uint8Array,
  path: string,
  nodes: readonly Node[],
  { scale = usualScale, size }: PixelOptions,
): OpenedInput {
  const [node, other] = nodes as [Node, Node?];
  if (other !== undefined) throw oneOfSeveral(path, 'a picture', nodes);
  const [height, width, channels] = pictureLayout(node, path);
  if (size !== undefined && (size[0] !== height || size[1] !== width)) {
    throw new RelcError(
      'RELC5004',
      `relc.json beside the model says size [${size}], but input ${node.name} is ${printShape(node.type.shape)}`,
    );
  }
  const picture = resizePicture(decodePicture(bytes, path), width, height);
  const pixels = channels === 3 ? picture.data : luminance(picture).map((light) => light * 255);
  const values = Float32Array.from(pixels, (pixel) => pixel * scale[0] + scale[1]);
  return { values: { [node.name]: values }, picture, scale, notes: [] };
}

function flatten(value: unknown, into: number[], path: string): void {
  if (Array.isArray(value)) for (const item of value) flatten(item, into, path);
  else if (typeof value === 'number') into.push(value);
  else
    throw new RelcError(
      'RELC5003',
      `${path} holds ${JSON.stringify(value)}, expected numbers in nested lists`,
    );
}

function numbersIn(value: unknown, path: string): Float32Array {
  const numbers: number[] = [];
  flatten(value, numbers, path);
  return Float32Array.from(numbers);
}

function checkCount(values: Float32Array, node: Node, path: string): Float32Array {
  const wanted = elementCount(node.type.shape);
  if (values.length === wanted) return values;
  throw new RelcError(
    'RELC5003',
    `${path} holds ${values.length} numbers, but input ${node.name} ${printShape(node.type.shape)} takes ${wanted} a sample`,
  );
}

function oneOfSeveral(path: string, what: string, nodes: readonly Node[]): RelcError {
  const names = nodes.map(({ name }) => name);
  return new RelcError(
    'RELC5003',
    `${path} is ${what}, and the model has ${names.length} inputs: ${names.join(', ')}`,
    `give them by name, in JSON: { ${names.map((name) => `${JSON.stringify(name)}: […]`).join(', ')} }`,
  );
}

/** Numbers by input of the model. @throws RelcError RELC5003 where they have no names, or others */
function named(numbers: Float32Array | NumbersByName, nodes: readonly Node[], path: string): NumbersByName {
  const names = nodes.map(({ name }) => name);
  if (numbers instanceof Float32Array) {
    if (names.length > 1) throw oneOfSeveral(path, 'one list', nodes);
    return { [names[0]!]: numbers };
  }
  const unknown = Object.keys(numbers).find((name) => !names.includes(name));
  if (unknown === undefined) return numbers;
  throw new RelcError(
    'RELC5003',
    `${path} names an input '${unknown}', and the model has none of that name`,
    `inputs: ${names.join(', ')}`,
  );
}

/** How pixels enter a model where nothing says so: as p/255. */
export const usualScale: readonly [number, number] = [1 / 255, 0];

/** How pictures enter a model. */
export interface PixelOptions {
  /** A pixel p of 0..255 enters as p·a + b; defaults to p/255. */
  readonly scale?: readonly [number, number] | undefined;
  /** The height and width that the manifest states. */
  readonly size?: Manifest['size'] | undefined;
}

const endingOf = (path: string) => extname(path).toLowerCase();

/** Whether a file holds numbers as they are, by its name. */
export const isArrayFile = (path: string) => ['.npy', '.json'].includes(endingOf(path));

/** Whether a file holds a text, by its name. */
export const isTextFile = (path: string) => endingOf(path) === '.txt';

/** Whether a file is taken for a picture, as all are that are neither numbers nor text. */
export const isPicturePath = (path: string) => !isArrayFile(path) && !isTextFile(path);

/** The numbers in a .npy or JSON file: a list, or of a JSON object lists by name. @throws RelcError RELC5002, RELC5003 */
export async function readArrays(path: string): Promise<Float32Array | NumbersByName> {
  if (endingOf(path) !== '.json') return Float32Array.from(decodeNpy(await readBytes(path), path).data);
  const value = parseJson(await readText(path), path);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return numbersIn(value, path);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, numbersIn(item, path)]));
}

/** One list of numbers. @throws RelcError RELC5002, RELC5003 */
export async function readNumbers(path: string): Promise<Float32Array> {
  const numbers = await readArrays(path);
  if (numbers instanceof Float32Array) return numbers;
  throw new RelcError('RELC5003', `${path} holds a JSON object, expected numbers in nested lists`);
}

/** Numbers for a model that takes no token ids. */
function fromNumbers(numbers: NumbersByName, nodes: readonly Node[], path: string): OpenedInput {
  const values = nodes.map(({ name }) => numbers[name]);
  const missing = nodes.find((_, index) => values[index] === undefined);
  if (missing !== undefined) throw new RelcError('RELC5003', `${path} has no input ${missing.name}`);
  const entries = nodes.map((node, index) => [node.name, checkCount(values[index]!, node, path)]);
  return { values: Object.fromEntries(entries), notes: [] };
}

/** Numbers as the ids of tokens, where a model takes them; one list is that of the ids. */
function fromArrays(
  numbers: Float32Array | NumbersByName,
  path: string,
  model: ModelInputs,
  reading: Reading,
): OpenedInput {
  const { nodes } = model;
  if (reading.tokenizer === undefined && !takesIds(model)) {
    return fromNumbers(named(numbers, nodes, path), nodes, path);
  }
  const given = numbers instanceof Float32Array ? { [tokenInputs(nodes).ids.name]: numbers } : numbers;
  return openIds(named(given, nodes, path), model, reading);
}

/**
 * Reads one sample for a model. Pixels are scaled, texts are cut into tokens, arrays are taken as they are.
 * @throws RelcError RELC5001 (a text without a tokenizer), RELC5002 (cannot be read), RELC5003 (does not fit), RELC5004
 *   (another size than the manifest's), RELC5009 (a text or ids that do not fit)
 */
export async function openInput(source: Source, model: ModelInputs, reading: Reading): Promise<OpenedInput> {
  if (typeof source !== 'string') return openText(source.text, model, reading);
  if (isTextFile(source)) return openText(await readText(source), model, reading);
  if (isArrayFile(source)) return fromArrays(await readArrays(source), source, model, reading);
  return fromPicture(await readBytes(source), source, model.nodes, reading.pixels);
}
