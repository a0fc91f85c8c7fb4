// The manifest `relc.json`: what a model or an emitted explainer says of itself, read and written by all who need it.
import type { Interval } from '../ir/analyses/interval.js';
import type { TokenLayout } from '../ir/analyses/tokens.js';
import { RelcError } from '../ir/error.js';

export interface Manifest {
  /** Height and width of the pictures that the model takes. */
  readonly size?: readonly [height: number, width: number];
  /** `[a, b]`: a pixel p of 0..255 enters the model as p·a + b. */
  readonly scale?: readonly [factor: number, offset: number];
  /** The file of the tokenizer, from the manifest's folder. */
  readonly tokenizer?: string;
  /** Tokens of a text, used where the model leaves their number open. */
  readonly length?: number;
  /** Names of the classes, in order. */
  readonly labels?: readonly string[];
  /** The preset to explain with; of emitted explainers the name of their composite. */
  readonly rules?: string;
  /** The smallest and the largest value of the input, or lists with one number a channel; by default from `scale`. */
  readonly range?: Interval;
  /** Of attention methods: the block, the row that is read, and more, as the options of `compile` have them. */
  readonly attention?: {
    readonly block?: number;
    readonly normalizeRows?: boolean;
    readonly query?: number | 'mean';
    readonly perBlock?: boolean;
  };
  /** Of a model whose every token has scores: the token explained, from 0, or from −1 at the last. */
  readonly position?: number;
  /** What the tokens of a transformer stand for, where the model does not say it; of emitted attention methods always. */
  readonly tokens?: TokenLayout;
  /** Shapes of the inputs, batch first. */
  readonly inputs?: Readonly<Record<string, readonly (number | string)[]>>;
  /** What relevance starts as. */
  readonly seed?: string;
  /** SHA-256 of the model's weights, and the tool's version: of emitted explainers. */
  readonly model?: string;
  readonly tool?: string;
}

const pairOf = (value: unknown, test: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.length === 2 && value.every(test);

const isSize = (value: unknown) => pairOf(value, (item) => Number.isInteger(item) && (item as number) > 0);
const isScale = (value: unknown) =>
  pairOf(value, (item) => typeof item === 'number' && Number.isFinite(item));
const isBound = (value: unknown) => [value].flat().length > 0 && [value].flat().every(Number.isFinite);
const isRange = (value: unknown) => pairOf(value, isBound);
const isWhole = (value: unknown) => Number.isInteger(value);
const isIndex = (value: unknown) => Number.isInteger(value) && (value as number) >= 0;
const isFlag = (value: unknown) => typeof value === 'boolean';
const isText = (value: unknown) => typeof value === 'string';
const isLabels = (value: unknown) => Array.isArray(value) && value.every(isText);
const isRecord = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether an object has fields of a table only, each as the table wants it. */
const hasOnly = (value: unknown, tests: Readonly<Record<string, (value: unknown) => boolean>>) =>
  isRecord(value) &&
  Object.entries(value as object).every(([key, item]) => Object.hasOwn(tests, key) && tests[key]!(item));

const isAttention = (value: unknown) =>
  hasOnly(value, {
    block: isWhole,
    normalizeRows: isFlag,
    query: (query) => query === 'mean' || isWhole(query),
    perBlock: isFlag,
  });

const isTokens = (value: unknown) =>
  hasOnly(value, {
    count: isIndex,
    special: (special) => Array.isArray(special) && special.every(isIndex),
    grid: isSize,
  }) && ['count', 'special'].every((key) => Object.hasOwn(value as object, key));

const fields: Readonly<Record<keyof Manifest, [test: (value: unknown) => boolean, wanted: string]>> = {
  size: [isSize, '[height, width], two positive integers'],
  scale: [isScale, '[factor, offset], two numbers'],
  tokenizer: [isText, 'the path of a tokenizer.json'],
  length: [(value) => Number.isInteger(value) && (value as number) > 0, 'a positive integer'],
  labels: [isLabels, 'a list of names'],
  rules: [isText, 'the name of a preset'],
  range: [isRange, '[low, high], two numbers or lists of one number a channel'],
  attention: [isAttention, '{ block, normalizeRows, query, perBlock }, or some of these'],
  position: [isWhole, 'the number of a token'],
  tokens: [isTokens, '{ count, special: [tokens], grid: [rows, columns] }, the grid only where there is one'],
  inputs: [isRecord, 'shapes by input name'],
  seed: [isText, 'the name of a seed'],
  model: [isText, 'a hash'],
  tool: [isText, 'a version'],
};

/**
 * Reads a manifest.
 * @param name  the file, for messages
 * @throws RelcError RELC5004 where it is not JSON, or a field is unknown or wrong
 */
export function parseManifest(text: string, name: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RelcError('RELC5004', `${name} is not JSON: ${(error as Error).message}`, undefined, {
      cause: error,
    });
  }
  if (!isRecord(value)) throw new RelcError('RELC5004', `${name} is not a JSON object`);
  for (const [key, item] of Object.entries(value as object)) {
    const field = Object.hasOwn(fields, key) ? fields[key as keyof Manifest] : undefined;
    if (field === undefined) {
      throw new RelcError(
        'RELC5004',
        `${name} has an unknown field '${key}'`,
        `fields: ${Object.keys(fields).join(', ')}`,
      );
    }
    if (!field[0](item)) {
      throw new RelcError('RELC5004', `${name}: ${key} is ${JSON.stringify(item)}, expected ${field[1]}`);
    }
  }
  return value as Manifest;
}

export function printManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}
