// Where a traced op comes from: the call site in the user's source, and the names of layers and tidies around it.
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';

const ownFiles =
  /[/\\](?:src|dist)[/\\](?:trace|ir|rules|codegen|cli)[/\\]|[/\\](?:src|dist)[/\\]index\.[jt]s/;
const foreignFrame = /node_modules[/\\]|node:|^native|<anonymous>/;

/** `file:line:col` of the innermost stack frame that is the user's, or undefined. */
export function callSite(): string | undefined {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 40;
  const { stack } = new Error('call site');
  Error.stackTraceLimit = limit;
  for (const line of (stack ?? '').split('\n').slice(1)) {
    const place = /\(?((?:file:|\/|[A-Za-z]:\\)[^()]*:\d+:\d+)\)?$/.exec(line.trim())?.[1];
    if (place === undefined || foreignFrame.test(place) || isOwn(place)) continue;
    return shorten(place);
  }
  return undefined;
}

/** Frames of this package; a project that merely has a folder of the same name is not. */
function isOwn(place: string): boolean {
  return place.includes(ownRoot) && ownFiles.test(place.slice(place.indexOf(ownRoot) + ownRoot.length - 1));
}

const ownRoot = new URL('../../', import.meta.url).pathname;

function shorten(place: string): string {
  const match = /^(.*):(\d+):(\d+)$/.exec(place)!;
  const path = match[1]!.startsWith('file:') ? fileURLToPath(match[1]!) : match[1]!;
  const short = relative(process.cwd(), path);
  return `${short.startsWith('..') ? path : short}:${match[2]}:${match[3]}`;
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
