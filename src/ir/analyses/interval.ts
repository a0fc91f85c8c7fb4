// Intervals: the smallest and the largest value that what is made of a bounded input can take, a channel each.

import { RelcError } from '../error.js';
import { evaluateAll } from '../evaluate.js';
import { forward } from '../forward.js';
import { activeValues, type Graph, type Name, type Node } from '../graph.js';
import type { TensorData, Weights } from '../tensor.js';
import { bindShape } from '../type.js';
import { coneOf } from './constants.js';

/** A bound: a number for all channels, or one for each. */
export type Bound = number | readonly number[];
/** The smallest and the largest value. */
export type Interval = readonly [low: Bound, high: Bound];

/** Ops that grow with each element of their operand. */
const growing: ReadonlySet<string> = new Set([
  'relu',
  'clip',
  'elu',
  'selu',
  'sigmoid',
  'tanh',
  'softplus',
  'max_pool',
  'reduce_max',
  'avg_pool',
  'mean',
  'resize',
]);

/** Ops that grow or fall with their one active operand, the others being constants. */
const withConstants: ReadonlySet<string> = new Set(['add', 'sub', 'mul', 'div', 'neg', 'batch_norm', 'cast']);

/** Those that make one element of several: of one channel, or of all. These must all grow with the input, or all fall. */
const mixing: Readonly<Record<string, 'within channels' | 'across'>> = {
  max_pool: 'within channels',
  avg_pool: 'within channels',
  resize: 'within channels',
  reduce_max: 'across',
  mean: 'across',
};

/** Whether the elements of each of `groups` interleaved parts all grow from a to b, or all fall. */
function isOrdered(a: TensorData, b: TensorData, groups: number): boolean {
  return Array.from({ length: groups }, (_, group) => group).every((group) => {
    const steps = Array.from(a.data, (value, i) => (i % groups === group ? b.data[i]! - value : 0));
    return steps.every((step) => step >= 0) || steps.every((step) => step <= 0);
  });
}

/** An input of one sample that is a bound throughout. @throws RelcError RELC3004 where the channels are not as many */
function filled(name: Name, shape: readonly number[], bound: Bound): TensorData {
  const channels = shape.at(-1) ?? 1;
  if (typeof bound !== 'number' && bound.length !== channels) {
    throw new RelcError(
      'RELC3004',
      `the range has ${bound.length} numbers for the ${channels} channels of input %${name}`,
      'state one number for all channels, or one for each',
    );
  }
  const size = shape.reduce((product, extent) => product * extent, 1);
  const data = Float64Array.from({ length: size }, (_, i) =>
    typeof bound === 'number' ? bound : bound[i % channels]!,
  );
  return { dtype: 'f32', shape, data };
}

/** By channel, the extreme over all places; one number where all channels agree. */
function byChannel(
  { data, shape }: TensorData,
  other: TensorData,
  choose: (a: number, b: number) => number,
): Bound {
  const channels = shape.at(-1) ?? 1;
  const extremes = Array.from({ length: channels }, (_, c) => choose(data[c]!, other.data[c]!));
  for (let i = channels; i < data.length; i++) {
    extremes[i % channels] = choose(extremes[i % channels]!, choose(data[i]!, other.data[i]!));
  }
  const plain = extremes.map((value) => (value === 0 ? 0 : value));
  return plain.every((value) => value === plain[0]) ? plain[0]! : plain;
}

/** Whether each element of the result grows with those of the input that it is made of, or falls with them. */
function isMonotone({ op, args, type }: Node, active: ReadonlySet<Name>): boolean {
  if (type.dtype !== 'f32') return false;
  if (op === 'input' || growing.has(op) || forward[op as 'reshape']?.traits?.routes === true) return true;
  const isAlone = args.filter((arg) => active.has(arg)).length === 1;
  // c / x grows on either side of 0, but not across
  return withConstants.has(op) && isAlone && (op !== 'div' || active.has(args[0]!));
}

/**
 * The interval of a value whose inputs lie in `interval`, from the value at both ends: all ops on the way grow or fall with
 * each element of the input. Undefined where one does not, or where it is not known.
 * @throws RelcError RELC3004 where a bound has not one number for each channel of an input
 */
export function intervalOf(
  graph: Pick<Graph, 'nodes'>,
  value: Name,
  interval: Interval,
  weights: Weights,
): Interval | undefined {
  const nodes = coneOf(graph.nodes, value);
  const active = activeValues({ nodes });
  const way = [...nodes.values()].filter(({ name }) => active.has(name));
  if (!way.every((node) => isMonotone(node, active))) return undefined;
  const inputs = way.filter(({ op }) => op === 'input');
  const cone = { name: value, nodes, outputs: {}, aliases: new Map() };
  const [atLow, atHigh] = interval.map((bound) => {
    const given = inputs.map(({ name, type }) => [name, filled(name, bindShape(type.shape, 1), bound)]);
    return evaluateAll(cone, forward, Object.fromEntries(given), weights);
  });
  const at = (name: Name) => [atLow!.get(name)!, atHigh!.get(name)!] as const;
  const mixesAlike = ({ op, args }: Node) => {
    const [low, high] = at(args[0]!);
    return isOrdered(low, high, mixing[op] === 'across' ? 1 : low.shape.at(-1)!);
  };
  if (!way.filter(({ op }) => Object.hasOwn(mixing, op)).every(mixesAlike)) return undefined;
  const ends = at(value);
  return [byChannel(...ends, Math.min), byChannel(...ends, Math.max)];
}
