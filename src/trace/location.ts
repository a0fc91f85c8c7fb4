// Where a traced op comes from: the call site in the user's source, and the names of layers and tidies around it.
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';

const ownFiles = /^(?:src|dist)[/\\](?:(?:trace|ir|rules|codegen|api|cli)[/\\]|index\.[jt]s)/;
/** Libraries; source maps give tfjs's frames paths outside of node_modules. */
const foreignFrame =
  /[/\\]node_modules[/\\]|[/\\]tfjs-(?:core|layers|converter|data|backend-\w+)[/\\]src[/\\]/;

/** The frames of the stack, innermost first, as `read` gives them. */
function captured<Frames>(read: (error: Error) => Frames): Frames {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 40;
  const error = new Error('call site');
  Error.stackTraceLimit = limit;
  return read(error);
}

/** The stack as text, mapped to the sources where the runtime knows them. */
export function stackFrames(): string[] {
  return captured((error) => (error.stack ?? '').split('\n').slice(1));
}

/** The stack as places of the code that runs: quick, for nothing is mapped. Empty where the runtime has no such thing. */
function rawFrames(): string[] {
  const prepare = Error.prepareStackTrace;
  Error.prepareStackTrace = (_error, sites) =>
    sites.map((site) => `${site.getFileName()}:${site.getLineNumber()}:${site.getColumnNumber()}`);
  try {
    return captured(({ stack }) => (Array.isArray(stack) ? stack : []));
  } finally {
    Error.prepareStackTrace = prepare;
  }
}

/** The user's place behind each place of running code, or undefined where it is not the user's. */
const usersPlaces = new Map<string, string | undefined>();

/** `file:line:col` of the innermost stack frame that is the user's, or undefined. */
export function callSite(): string | undefined {
  for (const [index, raw] of rawFrames().entries()) {
    // To map a stack takes long: it is done once a place.
    if (!usersPlaces.has(raw)) usersPlaces.set(raw, usersPlace(stackFrames()[index] ?? ''));
    const place = usersPlaces.get(raw);
    if (place !== undefined) return place;
  }
  return undefined;
}

/** `file:line:col` of a printed frame where it is neither ours nor a library's. */
function usersPlace(line: string): string | undefined {
  const frame = /\(?((?:file:|\/|[A-Za-z]:\\)[^()]*):(\d+):(\d+)\)?$/.exec(line.trim());
  if (frame === null || foreignFrame.test(frame[1]!)) return undefined;
  const path = frame[1]!.startsWith('file:') ? fileURLToPath(frame[1]!) : frame[1]!;
  return isOwn(path) ? undefined : `${shorten(path)}:${frame[2]}:${frame[3]}`;
}

/** Files of this package; a project that merely has a folder of the same name is not. */
function isOwn(path: string): boolean {
  return path.startsWith(ownRoot) && ownFiles.test(path.slice(ownRoot.length));
}

const ownRoot = fileURLToPath(new URL('../../', import.meta.url));

function shorten(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}

/** Names of the scopes that are open in tfjs's engine, outermost first. */
export function openScopes(): string[] {
  return tf.engine().state.scopeStack.map((scope) => scope.name ?? '');
}

/** The names that the user gave to `tf.tidy`: op scopes end in `__op`, unnamed ones carry tfjs's own names. */
export function tidyPath(): string | undefined {
  const names = openScopes().filter((name) => name !== '' && !name.endsWith('__op') && !unnamed.has(name));
  return names.length === 0 ? undefined : names.join('/');
}

const unnamed = new Set(['default scope', 'unnamed scope', 'gradients']);
