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

export interface OpenedInput {
  readonly values: Float32Array;
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

function fromPicture(
  bytes: Uint8Array,
  path: string,
  node: Node,
  { scale = usualScale, size }: PixelOptions,
): OpenedInput {
  const [height, width, channels] = pictureLayout(node, path);
  if (size !== undefined && (size[0] !== height || size[1] !== width)) {
    throw new RelcError(
      'RELC5004',
      `relc.json beside the model says size [${size}], but input ${node.name} is ${printShape(node.type.shape)}`,
    );
  }
  const picture = resizePicture(decodePicture(bytes, path), width, height);
  const pixels = channels === 3 ? picture.data : luminance(picture).map((light) => light * 255);
  return { values: Float32Array.from(pixels, (pixel) => pixel * scale[0] + scale[1]), picture, scale };
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

function fromJson(text: string, path: string): Float32Array {
  const numbers: number[] = [];
  flatten(parseJson(text, path), numbers, path);
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

/** How pixels enter a model where nothing says so: as p/255. */
export const usualScale: readonly [number, number] = [1 / 255, 0];

/** How pictures enter a model. */
export interface PixelOptions {
  /** A pixel p of 0..255 enters as p·a + b; defaults to p/255. */
  readonly scale?: readonly [number, number] | undefined;
  /** The height and width that the manifest states. */
  readonly size?: Manifest['size'] | undefined;
}

/** Whether a file holds numbers as they are, by its name; all others are taken for pictures. */
export const isArrayFile = (path: string) => ['.npy', '.json'].includes(extname(path).toLowerCase());

/** The numbers in a .npy or JSON file. @throws RelcError RELC5002, RELC5003 */
export async function readNumbers(path: string): Promise<Float32Array> {
  if (extname(path).toLowerCase() === '.json') return fromJson(await readText(path), path);
  return Float32Array.from(decodeNpy(await readBytes(path), path).data);
}

/**
 * Reads one sample for a model's input. Pixels are scaled; arrays are taken as they are.
 * @throws RelcError RELC5002 (cannot be read), RELC5003 (does not fit), RELC5004 (another size than the manifest's)
 */
export async function openInput(path: string, node: Node, pixels: PixelOptions): Promise<OpenedInput> {
  if (isArrayFile(path)) return { values: checkCount(await readNumbers(path), node, path) };
  return fromPicture(await readBytes(path), path, node, pixels);
}
