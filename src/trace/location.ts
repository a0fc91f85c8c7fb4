// Where a traced op comes from: the call site in the user's source, and the names of layers and tidies around it.
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';

const ownFiles = /^(?:src|dist)[/\\](?:(?:trace|ir|rules|codegen|cli)[/\\]|index\.[jt]s)/;
/** Libraries and the runtime; source maps give tfjs's frames paths outside of node_modules. */
const foreignFrame =
  /[/\\]node_modules[/\\]|^node:|[/\\]tfjs-(?:core|layers|converter|data|backend-\w+)[/\\]src[/\\]/;

/** The frames of the stack, innermost first, as the runtime prints them. */
export function stackFrames(): string[] {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 40;
  const { stack } = new Error('call site');
  Error.stackTraceLimit = limit;
  return (stack ?? '').split('\n').slice(1);
}

/** `file:line:col` of the innermost stack frame that is the user's, or undefined. */
export function callSite(): string | undefined {
  for (const line of stackFrames()) {
    const frame = /\(?((?:file:|\/|[A-Za-z]:\\)[^()]*):(\d+):(\d+)\)?$/.exec(line.trim());
    if (frame === null) continue;
    const path = frame[1]!.startsWith('file:') ? fileURLToPath(frame[1]!) : frame[1]!;
    if (foreignFrame.test(path) || isOwn(path)) continue;
    return `${shorten(path)}:${frame[2]}:${frame[3]}`;
  }
  return undefined;
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
