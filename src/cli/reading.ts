// How inputs on the command line are read: pictures by their scale, texts by a tokenizer.
import { dirname, join } from 'node:path';
import type { Explainer } from '../api/explainer.js';
import type { Manifest } from '../codegen/manifest.js';
import { RelcError } from '../ir/error.js';
import type { Node } from '../ir/graph.js';
import { printShape } from '../ir/type.js';
import type { Arguments, Option } from './arguments.js';
import { readText } from './files.js';
import {
  isArrayFile,
  isTextFile,
  type OpenedInput,
  openInput,
  type PixelOptions,
  parseScale,
  readArrays,
  type Source,
} from './input.js';
import { encode, type TextOptions } from './text/open.js';
import { tokenInputs } from './text/roles.js';
import { openTokenizer, type Tokenizer } from './text/tokenizer.js';

/** Declared by the commands that take an input; {@link readingOf} reads them. */
export const readingOptions = {
  scale: {
    type: 'string',
    value: 'A,B',
    help: 'a pixel p of 0..255 enters as p·A + B (default 1/255,0);\nfor example --scale 1/127.5,-1',
  },
  text: { type: 'string', value: 'TEXT', help: 'a text as the input (- is standard input)' },
  tokenizer: {
    type: 'string',
    value: 'FILE',
    help: "tokenizer.json of Hugging Face's tokenizers, for texts (default: the manifest's)",
  },
  length: {
    type: 'string',
    value: 'N',
    help: 'tokens that texts are padded to, where the model leaves their number open\n(default: as many as the text has)',
  },
  truncate: { type: 'boolean', help: 'leave out the end of a text that is too long for the model' },
} as const satisfies Record<string, Option>;

export interface Reading extends TextOptions {
  readonly pixels: PixelOptions;
}

/** The tokenizer that the command line names, else the manifest's, from its folder. */
async function tokenizerOf(given: Arguments, { tokenizer }: Manifest): Promise<Tokenizer | undefined> {
  const named = given.text('tokenizer');
  if (named !== undefined) return openTokenizer(named);
  return tokenizer === undefined ? undefined : openTokenizer(join(dirname(given.positional(0)), tokenizer));
}

/** @throws RelcError RELC5001 (wrong values), RELC5002, RELC5005, RELC5008 (the tokenizer) */
export async function readingOf(given: Arguments, manifest: Manifest): Promise<Reading> {
  const size = given.text('shape') === undefined ? manifest.size : undefined;
  return {
    pixels: { scale: parseScale(given.text('scale')) ?? manifest.scale, size },
    tokenizer: await tokenizerOf(given, manifest),
    truncates: given.flag('truncate'),
  };
}

/** Reads one sample for the model of an explainer. @throws RelcError as {@link openInput} */
export function openFor(
  { inputs: nodes, compiled }: Explainer,
  source: Source,
  reading: Reading,
): Promise<OpenedInput> {
  return openInput(source, { nodes, graph: compiled.stages.get('canonicalize')! }, reading);
}

/** Tokens or numbers of an input, undefined for pictures. @throws RelcError as where it is read */
async function lengthOf(source: Source, tokenizer: Tokenizer | undefined): Promise<number | undefined> {
  if (typeof source !== 'string') return encode(source.text, tokenizer).ids.length;
  if (isTextFile(source)) return encode(await readText(source), tokenizer).ids.length;
  if (!isArrayFile(source)) return undefined;
  const numbers = await readArrays(source);
  return (numbers instanceof Float32Array ? numbers : Object.values(numbers)[0])?.length;
}

/**
 * Tokens of a text, for models that leave their number open: as stated, else those of a single input.
 * @throws RelcError RELC5001 where --length is no number of tokens
 */
export async function openLength(
  given: Arguments,
  manifest: Manifest,
  { source, reading }: { readonly source: Source | undefined; readonly reading: Reading },
): Promise<number | undefined> {
  const asked = given.positive('length');
  if (asked !== undefined && !Number.isInteger(asked)) {
    throw new RelcError('RELC5001', `--length ${asked} is not a number of tokens`);
  }
  const stated = asked ?? manifest.length;
  if (stated !== undefined || source === undefined) return stated;
  return lengthOf(source, reading.tokenizer);
}

/** @throws RelcError RELC5001 where --length is not what the model takes, RELC5009 where it takes no tokens */
export function expectLength(given: Arguments, nodes: readonly Node[]): void {
  const asked = given.positive('length');
  if (asked === undefined) return;
  const { ids, length } = tokenInputs(nodes);
  if (length === asked) return;
  throw new RelcError(
    'RELC5001',
    `--length is ${asked}, and input ${ids.name} ${printShape(ids.type.shape)} takes ${length} tokens`,
    'leave out --length: the model states how many tokens it takes',
  );
}
