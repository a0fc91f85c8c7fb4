// What differs between Node and browsers: threads, what memory they may have in common, and where files come from.
import { ExplainerError } from './error.js';

interface NodeWorker {
  on(event: 'message', listener: (data: unknown) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  on(event: 'exit', listener: (code: number) => void): void;
  postMessage(message: unknown): void;
  ref(): void;
  unref(): void;
  terminate(): unknown;
}

interface WebWorker {
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: { message?: string; preventDefault?: () => void }) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

interface NodeFile {
  read(piece: Uint8Array, offset: number, length: number): Promise<{ bytesRead: number }>;
  close(): Promise<void>;
}

/** Modules of Node that are used where there is Node. */
interface NodeModules {
  'node:worker_threads': {
    Worker: new (url: URL, options: { execArgv: string[] }) => NodeWorker;
  };
  'node:os': { availableParallelism(): number };
  'node:fs/promises': { open(url: URL): Promise<NodeFile> };
}

interface Surroundings {
  readonly process?: {
    readonly versions?: { readonly node?: string };
    getBuiltinModule(name: string): unknown;
  };
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly crossOriginIsolated?: boolean;
}

// Bundlers of web pages look for the words `new Worker(new URL(…))`
declare const Worker: new (url: URL, options: { type: 'module' }) => WebWorker;

const surroundings = globalThis as unknown as Surroundings;
const isNode = surroundings.process?.versions?.node !== undefined;

/** A module of Node: not imported, so that bundlers of web pages do not look for it. */
const nodeModule = <Name extends keyof NodeModules>(name: Name): NodeModules[Name] =>
  surroundings.process!.getBuiltinModule(name) as NodeModules[Name];

/** Whether threads can have memory in common. */
export function canShareMemory(): boolean {
  return typeof SharedArrayBuffer !== 'undefined' && (isNode || surroundings.crossOriginIsolated === true);
}

export function processorCount(): number {
  if (isNode) return nodeModule('node:os').availableParallelism();
  return surroundings.navigator?.hardwareConcurrency ?? 1;
}

/** A thread that runs worker.js. */
export interface Thread {
  send(message: unknown): void;
  /** Lets a process end while the thread is there. */
  release(): void;
  end(): void;
}

/** What a thread tells. */
export interface ThreadListener {
  message(data: unknown): void;
  /** It could not be started, or it ended. */
  failure(reason: string): void;
}

/** Starts worker.js, which stands beside this file. */
export function startThread({ message, failure }: ThreadListener): Thread {
  if (isNode) {
    const threads = nodeModule('node:worker_threads');
    const worker = new threads.Worker(new URL('./worker.js', import.meta.url), { execArgv: [] });
    worker.on('message', message);
    worker.on('error', (error) => failure(error.message));
    worker.on('exit', (code) => failure(`it ended with code ${code}`));
    return {
      send: (data) => worker.postMessage(data),
      release: () => worker.unref(),
      end: () => void worker.terminate(),
    };
  }
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }) => message(data);
  worker.onerror = (event) => {
    event.preventDefault?.();
    failure(event.message ?? 'worker.js could not be loaded');
  };
  return { send: (data) => worker.postMessage(data), release: () => {}, end: () => worker.terminate() };
}

/** Bytes that are read from a file at once. */
const pieceBytes = 2 ** 20;

const unreadable = (url: URL, reason: string, cause?: unknown) =>
  new ExplainerError('RELC5002', `${url.href} could not be read: ${reason}`, 'check where the files lie', {
    cause,
  });

async function* piecesOnDisk(url: URL): AsyncGenerator<Uint8Array> {
  let file: NodeFile | undefined;
  try {
    file = await nodeModule('node:fs/promises').open(url);
    const piece = new Uint8Array(pieceBytes);
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, pieceBytes);
      if (bytesRead === 0) return;
      yield piece.subarray(0, bytesRead);
    }
  } catch (error) {
    if (error instanceof ExplainerError) throw error;
    throw unreadable(url, (error as Error).message, error);
  } finally {
    await file?.close();
  }
}

async function* piecesFromServer(url: URL): AsyncGenerator<Uint8Array> {
  const response = await fetch(url).catch((error: Error) => {
    throw unreadable(url, error.message, error);
  });
  if (!response.ok) throw unreadable(url, `the server says ${response.status} ${response.statusText}`);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}

/**
 * The bytes of a file, piece by piece; a piece is only good until the next one is asked for.
 * @throws ExplainerError RELC5002
 */
export function piecesOf(url: URL): AsyncGenerator<Uint8Array> {
  return isNode && url.protocol === 'file:' ? piecesOnDisk(url) : piecesFromServer(url);
}

/** The bytes of a small file. @throws ExplainerError RELC5002 */
export async function bytesOf(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(url)) pieces.push(piece.slice());
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
