// Weights from a safetensors file, piece by piece into the memory of a machine: they never exist twice.
import { ExplainerError } from './error.js';
import type { Machine } from './machine.js';
import { type Dtype, type WeightPlace, writeWeight } from './program.js';

interface Entry {
  readonly dtype: string;
  readonly data_offsets: readonly [begin: number, end: number];
}

const spellings: Readonly<Record<Dtype, { readonly name: string; readonly bytes: number }>> = {
  f32: { name: 'F32', bytes: 4 },
  i32: { name: 'I32', bytes: 4 },
  bool: { name: 'BOOL', bytes: 1 },
};

const wrong = (detail: string) =>
  new ExplainerError(
    'RELC1009',
    detail,
    'put the weights.safetensors there that was written with this explainer',
  );

/** Bytes in order, from pieces of any length. */
class ByteStream {
  private piece = new Uint8Array(0);
  private position = 0;
  private readonly pieces: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;

  constructor(
    pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    private readonly onPiece: (position: number) => void,
  ) {
    this.pieces = Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
  }

  /** Hands on the next bytes, in as many parts as they come in. @throws ExplainerError RELC1009 at the end of the file */
  async take(length: number, use: (part: Uint8Array, offset: number) => void): Promise<void> {
    for (let offset = 0; offset < length; ) {
      if (this.piece.length === 0) await this.next();
      const part = this.piece.subarray(0, length - offset);
      use(part, offset);
      offset += part.length;
      this.piece = this.piece.subarray(part.length);
    }
  }

  async bytes(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    await this.take(length, (part, offset) => bytes.set(part, offset));
    return bytes;
  }

  /** Lets go of where the bytes come from. */
  async close(): Promise<void> {
    await this.pieces.return?.();
  }

  private async next(): Promise<void> {
    const { done, value } = await this.pieces.next();
    if (done === true) throw wrong(`the weights end after ${this.position} bytes`);
    this.piece = value as Uint8Array<ArrayBuffer>;
    this.position += this.piece.length;
    this.onPiece(this.position);
  }
}

/** Headers are a few kilobytes; what is longer is another file. */
const longestHeader = 2 ** 26;

async function readHeader(stream: ByteStream): Promise<Map<string, Entry>> {
  const length = Number(new DataView((await stream.bytes(8)).buffer).getBigUint64(0, true));
  if (length > longestHeader) throw wrong('the weights are no safetensors file');
  try {
    const header = JSON.parse(new TextDecoder().decode(await stream.bytes(length))) as Record<string, Entry>;
    return new Map(Object.entries(header).filter(([key]) => key !== '__metadata__'));
  } catch (error) {
    if (error instanceof ExplainerError) throw error;
    throw wrong('the weights are no safetensors file');
  }
}

/** The entry of every weight. @throws ExplainerError RELC1009 where the file holds other weights */
function expectWeights(entries: ReadonlyMap<string, Entry>, weights: readonly WeightPlace[]): void {
  for (const { key, dtype, size } of weights) {
    const entry = entries.get(key);
    if (entry === undefined) throw wrong(`the weights have no "${key}"`);
    const [begin, end] = entry.data_offsets;
    const { name, bytes } = spellings[dtype];
    if (entry.dtype !== name || end - begin !== size * bytes) {
      throw wrong(
        `the weight "${key}" is ${end - begin} bytes of ${entry.dtype}, expected ${size * bytes} of ${name}`,
      );
    }
  }
}

/**
 * Reads weights into memory.
 * @param pieces  the file in order; each piece is used before the next one is asked for
 * @param onPiece  told how many bytes have come
 * @throws ExplainerError RELC1009 where the file is cut off or holds other weights
 */
export async function readWeights(
  machine: Machine,
  weights: readonly WeightPlace[],
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  onPiece: (position: number) => void,
): Promise<void> {
  const stream = new ByteStream(pieces, onPiece);
  try {
    await readFrom(stream, machine, weights);
  } finally {
    await stream.close();
  }
}

async function readFrom(
  stream: ByteStream,
  machine: Machine,
  weights: readonly WeightPlace[],
): Promise<void> {
  const entries = await readHeader(stream);
  expectWeights(entries, weights);
  const inOrder = [...entries].sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0]);
  let position = 0;
  for (const [key, entry] of inOrder) {
    const [begin, end] = entry.data_offsets;
    const places = weights.filter((weight) => weight.key === key);
    await stream.take(begin - position, () => {});
    await stream.take(end - begin, (part, offset) => {
      for (const weight of places) writeWeight(machine, weight, part, offset);
    });
    position = end;
  }
}
