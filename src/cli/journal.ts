// The journal of a run over many inputs, results.jsonl: a line for each input as soon as it is done, read again to go on.
import { stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { type ErrorCode, RelcError } from '../ir/error.js';
import { append, readTextIfThere, writeWhole } from './files.js';
import type { Fingerprint } from './fingerprint.js';

/** What tells a file from a later one of the same name. */
export interface Stamp {
  readonly bytes: number;
  readonly modified: string;
}

/** Of an input that was explained: the report, and what it holds for. */
export interface DoneLine extends Stamp {
  readonly input: string;
  readonly files: readonly string[];
  readonly fingerprint: Fingerprint;
}

export interface FailedLine {
  readonly input: string;
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

export type Line = DoneLine | FailedLine;

const isFailed = (line: Line): line is FailedLine => 'error' in line;

/** Undefined where there is no such file. */
export async function stampOf(path: string): Promise<Stamp | undefined> {
  return stat(path).then(
    ({ size, mtime }) => ({ bytes: size, modified: mtime.toISOString() }),
    () => undefined,
  );
}

function isLine(value: unknown): value is Line {
  if (typeof value !== 'object' || value === null) return false;
  const { input, error, files, fingerprint } = value as Partial<DoneLine & FailedLine>;
  const isDone = Array.isArray(files) && typeof fingerprint === 'object' && fingerprint !== null;
  return typeof input === 'string' && (isDone || typeof error === 'object');
}

const startOver = 'leave out --resume to start over, or name another folder with -o';

function parseLine(text: string, place: string): Line {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Told below, as what is JSON and no line
  }
  if (isLine(value)) return value;
  throw new RelcError('RELC5003', `${place} is no result of relc explain`, startOver);
}

/** The lines of a journal, none where there is no file. What has no end was being written when the run was killed. */
async function linesOf(path: string): Promise<Line[]> {
  const whole = ((await readTextIfThere(path)) ?? '').split('\n').slice(0, -1);
  return whole.map((text, index) => parseLine(text, `line ${index + 1} of ${path}`));
}

/** @throws RelcError RELC5001 where results are of another model, or were asked for with other options */
function expectSame(lines: readonly Line[], { model, request }: Fingerprint, path: string): void {
  for (const line of lines) {
    if (isFailed(line)) continue;
    const isModel = line.fingerprint.model === model;
    if (isModel && line.fingerprint.request === request) continue;
    const other = isModel
      ? 'were made with other rules or options, or by another version'
      : 'are of another model';
    throw new RelcError('RELC5001', `the results in ${path} ${other}`, startOver);
  }
}

const isThere = async (path: string) => (await stampOf(path)) !== undefined;

export class Journal {
  private constructor(
    readonly path: string,
    /** The last line of each input, by its resolved path. */
    private readonly lines: Map<string, Line>,
  ) {}

  /**
   * Nothing is written yet.
   * @param resume  the run that the lines have to be of; undefined to begin anew
   * @throws RelcError RELC5001 (results of another run), RELC5003 (something else)
   */
  static async open(path: string, resume: Fingerprint | undefined): Promise<Journal> {
    const lines = resume === undefined ? [] : await linesOf(path);
    if (resume !== undefined) expectSame(lines, resume, path);
    return new Journal(path, new Map(lines.map((line) => [resolve(line.input), line])));
  }

  /** The inputs that have a line. */
  get inputs(): string[] {
    return [...this.lines.values()].map(({ input }) => input);
  }

  /** Whether an input was explained as it is now, and its files are there, one of them in each of the folders. */
  async isDone(input: string, folders: readonly string[]): Promise<boolean> {
    const line = this.lines.get(resolve(input));
    if (line === undefined || isFailed(line)) return false;
    const stamp = await stampOf(input);
    if (stamp?.bytes !== line.bytes || stamp.modified !== line.modified) return false;
    const isIn = (folder: string) =>
      line.files.some((file) => resolve(file).startsWith(join(resolve(folder), sep)));
    if (!folders.every(isIn)) return false;
    return (await Promise.all(line.files.map(isThere))).every(Boolean);
  }

  /** Writes the lines of all inputs but those that are to come. @throws RelcError RELC5002 */
  async begin(toCome: readonly string[]): Promise<void> {
    for (const input of toCome) this.lines.delete(resolve(input));
    const kept = [...this.lines.values()].map((line) => `${JSON.stringify(line)}\n`);
    await writeWhole(this.path, kept.join(''));
  }

  /** @throws RelcError RELC5002 */
  async add(line: Line): Promise<void> {
    await append(this.path, `${JSON.stringify(line)}\n`);
  }
}
