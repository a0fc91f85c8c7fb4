// The loader of an emitted explainer: weights and module in, explanations out.
import {
  boundInputs,
  boundSeed,
  type ExplainerLayout,
  type ExplainOptions,
  type InputValue,
} from './checks.js';
import { ExplainerError } from './error.js';
import { type Explanation, explanationOf } from './explanation.js';
import { Machine } from './machine.js';
import { boundShape, runProgram } from './program.js';
import { bytesOf, piecesOf } from './surroundings.js';
import { readWeights } from './weights.js';

/** What the explainer says of itself: the file relc.json. */
export interface Manifest {
  /** Height and width of the pictures that the model takes. */
  readonly size?: readonly [height: number, width: number];
  /** `[a, b]`: a pixel p of 0..255 enters the model as p·a + b. */
  readonly scale?: readonly [factor: number, offset: number];
  /** Names of the classes, in order. */
  readonly labels?: readonly string[];
  /** The name of the composite that chose the rules. */
  readonly rules: string;
  /** What relevance starts as. */
  readonly seed: string;
  /** The smallest and the largest value of the input, or lists with one number a channel, where it was stated. */
  readonly range?: readonly [number | readonly number[], number | readonly number[]];
  /** Shapes of the inputs, batch first. */
  readonly inputs: Readonly<Record<string, readonly (number | string)[]>>;
  /** SHA-256 of the weights, and the version of the tool that wrote the explainer. */
  readonly model: string;
  readonly tool: string;
}

export interface LoadOptions {
  /** Threads to run on, from 1 on. Defaults to one a processor, up to 8; one where a page may not share memory. */
  readonly threads?: number;
  /** Where the other files lie, if not beside this one: a URL, also relative to this file. */
  readonly base?: string | URL;
  /** The content of weights.safetensors, in place of reading it. */
  readonly weights?: ArrayBuffer | Uint8Array;
  /** Told how many bytes of the weights have come. */
  readonly onProgress?: (bytesLoaded: number, total: number) => void;
}

export interface Explainer {
  readonly manifest: Manifest;
  /** Threads that it runs on. */
  readonly threads: number;
  /**
   * Explains one input or a batch of them.
   * @param input  numbers of the input's shape, batch first; by name where there are several inputs
   * @throws Error whose `code` is RELC4002 (wrong input), RELC4003 (no such class), RELC3004 (options that do not fit),
   *   RELC4006 (the result is not finite), RELC4004 (disposed)
   */
  explain(
    input: InputValue | Readonly<Record<string, InputValue>>,
    options?: ExplainOptions,
  ): Promise<Explanation>;
  /** Ends the threads and frees the memory. */
  dispose(): void;
}

class LoadedExplainer implements Explainer {
  private disposed = false;
  readonly threads: number;

  constructor(
    private readonly machine: Machine,
    private readonly layout: ExplainerLayout,
    readonly manifest: Manifest,
  ) {
    this.threads = machine.threads;
  }

  async explain(
    input: InputValue | Readonly<Record<string, InputValue>>,
    options: ExplainOptions = {},
  ): Promise<Explanation> {
    if (this.disposed) {
      throw new ExplainerError('RELC4004', 'the explainer was disposed of', 'load it again');
    }
    const { layout, machine } = this;
    const { feed, samples } = boundInputs(layout, input);
    const seed = boundSeed(layout, options, samples);
    const [outputs] = runProgram({ machine, layout }, samples, feed, [seed]);
    return explanationOf(
      Object.fromEntries(
        layout.outputs.map(({ name, shape }) => [
          name,
          { data: outputs![name]!, shape: boundShape(shape, samples) },
        ]),
      ),
    );
  }

  dispose(): void {
    this.disposed = true;
    this.machine.dispose();
  }
}

/** The URL of the folder that the files lie in. */
function folderOf(base: string | URL | undefined): URL {
  const folder = new URL(base ?? '.', import.meta.url);
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  return folder;
}

async function jsonOf(url: URL): Promise<unknown> {
  return JSON.parse(new TextDecoder().decode(await bytesOf(url)));
}

/**
 * Loads the explainer that lies beside this file: its weights are read into memory once, piece by piece.
 * @throws Error whose `code` is RELC5002 (a file that cannot be read), RELC1009 (other weights), RELC4009 (memory that
 *   cannot be had), RELC4010 (threads that cannot be started)
 * @example
 * const explainer = await load();
 * const { scores, target, relevance } = await explainer.explain(pixels);
 */
export async function load(options: LoadOptions = {}): Promise<Explainer> {
  const folder = folderOf(options.base);
  const [layout, manifest, module] = await Promise.all([
    jsonOf(new URL('layout.json', folder)) as Promise<ExplainerLayout>,
    jsonOf(new URL('relc.json', folder)) as Promise<Manifest>,
    bytesOf(new URL('explainer.wasm', folder)),
  ]);
  const machine = await Machine.start(module, layout, options.threads);
  try {
    const { weights, onProgress } = options;
    const pieces =
      weights === undefined
        ? piecesOf(new URL('weights.safetensors', folder))
        : [weights instanceof Uint8Array ? weights : new Uint8Array(weights)];
    await readWeights(machine, layout.weights, pieces, (bytes) => onProgress?.(bytes, layout.weightBytes));
    machine.load();
  } catch (error) {
    machine.dispose();
    throw error;
  }
  return new LoadedExplainer(machine, layout, manifest);
}
