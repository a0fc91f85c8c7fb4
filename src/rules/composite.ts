// Composites: ordered lists that say which rule each op gets; plain data, the first match wins.
import type { Attrs, Name, Node } from '../ir/graph.js';

/** What a node is to a composite: by its op, and by which of its operands are constants. */
export const kinds = {
  conv: 'convolution with a constant kernel',
  dense: 'einsum with a constant weight',
  product: 'product of two activations: matmul, einsum, mul, attention',
  scale: 'multiplication by a constant, batch normalization that could not be folded',
  preprocess: 'constant product or sum on an input, before anything else',
  add: 'sum or difference, also with a constant',
  mean: 'mean, sum, average pool, resize',
  max: 'max pool, maximum, minimum',
  activation: 'elementwise non-linearity that relevance passes',
  route: 'op whose every output element copies one input element',
  softmax: 'softmax, log-softmax',
  normalization: 'layer norm, RMS norm: by the statistics of each row',
  other: 'any other op',
} as const;

export type Kind = keyof typeof kinds;

/** All that is stated must hold; an empty match takes every op. */
export interface Match {
  readonly kind?: Kind | readonly Kind[];
  readonly op?: string | readonly string[];
  /** A value's name, with `*` for any run of characters. */
  readonly name?: string;
  /** Only affine ops that an explained input reaches through no other affine op. */
  readonly first?: true;
  /** Only affine ops that lead to what is explained through no other affine op. */
  readonly last?: true;
  /** Only layers from one number to another, both included; counted from 0 in order of execution, −1 is the last. */
  readonly layers?: readonly [from: number, to: number];
}

/** A rule and its parameters; those left out are the rule's defaults. */
export interface RuleChoice {
  readonly rule: string;
  readonly params?: Attrs;
}

/** `[name, match, rule]`. */
export type CompositeLine = readonly [name: string, match: Match, choice: RuleChoice];
export type Composite = readonly CompositeLine[];

/** What a match may ask of a node's surroundings. */
export interface Surroundings {
  /** Values that depend on a graph input; the rest are constants. */
  readonly active: ReadonlySet<Name>;
  /** Values computed from inputs and constants by products and sums with constants alone. */
  readonly preprocessed: ReadonlySet<Name>;
  /** Affine ops reached from an explained input through no other affine op. */
  readonly first: ReadonlySet<Name>;
  /** Affine ops that lead to the value relevance starts at through no other affine op. */
  readonly last: ReadonlySet<Name>;
  /** Convolutions and dense layers by name, numbered from 0 in order of execution. */
  readonly layers: ReadonlyMap<Name, number>;
  readonly traitsOf: (op: string) => { readonly activation?: true; readonly routes?: true };
}

const means = new Set(['mean', 'sum', 'avg_pool', 'resize', 'resize_transpose']);
export const maxima: ReadonlySet<string> = new Set(['max_pool', 'reduce_max', 'maximum', 'minimum']);

/** The kind of a node, chosen by constancy: never by what happens to be explained. */
export function kindOf(node: Node, around: Surroundings): Kind {
  const activeArgs = node.args.filter((arg) => around.active.has(arg)).length;
  const constantWeight = activeArgs === 1 && around.active.has(node.args[0]!);
  switch (node.op) {
    case 'conv':
    case 'conv_transpose':
      return constantWeight ? 'conv' : 'other';
    case 'einsum':
      return constantWeight ? 'dense' : 'product';
    case 'mul':
      if (activeArgs > 1) return 'product';
      return around.preprocessed.has(node.name) ? 'preprocess' : 'scale';
    case 'div':
      return constantWeight ? 'scale' : 'other';
    case 'neg':
    case 'batch_norm':
      return around.preprocessed.has(node.name) ? 'preprocess' : 'scale';
    case 'add':
    case 'sub':
      return around.preprocessed.has(node.name) && activeArgs === 1 ? 'preprocess' : 'add';
    case 'softmax':
    case 'log_softmax':
      return 'softmax';
    case 'layer_norm':
    case 'rms_norm':
      return 'normalization';
  }
  if (means.has(node.op)) return 'mean';
  if (maxima.has(node.op)) return 'max';
  const traits = around.traitsOf(node.op);
  if (traits.activation) return 'activation';
  return traits.routes ? 'route' : 'other';
}

const asList = <Item>(items: Item | readonly Item[]): readonly Item[] =>
  Array.isArray(items) ? items : [items as Item];

function globMatches(glob: string, name: string): boolean {
  const pattern = glob.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`).test(name);
}

function isBetween(
  layers: ReadonlyMap<Name, number>,
  name: Name,
  [from, to]: readonly [number, number],
): boolean {
  const index = layers.get(name);
  if (index === undefined) return false;
  const fromStart = (bound: number) => (bound < 0 ? layers.size + bound : bound);
  return index >= fromStart(from) && index <= fromStart(to);
}

export function matches(match: Match, node: Node, around: Surroundings): boolean {
  if (match.first && !around.first.has(node.name)) return false;
  if (match.last && !around.last.has(node.name)) return false;
  if (match.layers !== undefined && !isBetween(around.layers, node.name, match.layers)) return false;
  if (match.op !== undefined && !asList(match.op).includes(node.op)) return false;
  if (match.name !== undefined && !globMatches(match.name, node.name)) return false;
  return match.kind === undefined || asList(match.kind).includes(kindOf(node, around));
}

/** The first line that matches, if any does. */
export function chooseLine(
  composite: Composite,
  node: Node,
  around: Surroundings,
): CompositeLine | undefined {
  return composite.find(([, match]) => matches(match, node, around));
}

/** `conv, dense (first)`: a match as a reader sees it. */
export function printMatch(match: Match): string {
  const parts = [
    match.kind === undefined ? undefined : asList(match.kind).join(', '),
    match.op === undefined ? undefined : `op ${asList(match.op).join(', ')}`,
    match.name === undefined ? undefined : `name ${match.name}`,
    match.first ? 'first layer' : undefined,
    match.last ? 'last layer' : undefined,
    match.layers === undefined ? undefined : `layers ${match.layers.join(' to ')}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? 'anything' : parts.join(' · ');
}

/** `alphaBeta(alpha=2, beta=1, eps=0.000001)`. */
export function printChoice({ rule, params = {} }: RuleChoice): string {
  const names = Object.keys(params).sort();
  const list = names.map((name) => `${name}=${JSON.stringify(params[name])}`).join(', ');
  return list === '' ? rule : `${rule}(${list})`;
}
