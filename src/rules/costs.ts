// Costs: the contractions of an explanation by layer, in units of the forward, beside the fewest that its rules need.
import { contractions } from '../ir/analyses/multiply-adds.js';
import { type Attrs, type Graph, type Name, type Node, nodeOf } from '../ir/graph.js';
import { groupsOf } from '../ir/ops/window.js';
import { removeDeadCode } from '../ir/passes/dead-code.js';
import { type RuledNode, ruledNodes } from './account.js';
import { servedValue } from './expand.js';
import { type NecessaryWork, necessaryWork } from './necessary.js';
import { type RuleName, type RuleTable, ruleTable } from './rules.js';

/** Passes through a layer that a rule adds to the forward: modified forwards, and transposes. */
interface Passes {
  readonly forward: number;
  readonly back: number;
}

type Floor = (attrs: Attrs, node: Node, kernel: readonly number[]) => Passes;

const passes = (forward: number, back: number): Floor => {
  const fixed = { forward, back };
  return () => fixed;
};

/** One modified forward and one transpose where x ≥ 0, two of each where x has both signs. */
const halfOf: Floor = ({ nonnegative }) => (nonnegative ? { forward: 1, back: 1 } : { forward: 2, back: 2 });

/** zα and zβ, whose sum is the forward: it costs nothing of its own. */
const bothHalves: Floor = (attrs, ...layer) => {
  const half = halfOf(attrs, ...layer);
  return attrs.beta === 0 ? half : { forward: 2 * half.forward - 1, back: 2 * half.back };
};

/** Both signs of z, but for R that vanishes with z. */
const branches: Floor = (attrs, ...layer) => {
  const half = halfOf(attrs, ...layer);
  return attrs.vanishing ? half : { forward: 2 * half.forward, back: 2 * half.back };
};

/** s summed over the channels of a group, then a window of ones: one channel in, one channel out, a group. */
const boxFilter: Floor = (_attrs, node, kernel) => {
  if (node.op === 'einsum') return { forward: 0, back: 0 };
  const [inputs, outputs] = kernel.slice(-2) as [number, number];
  return { forward: 0, back: groupsOf(node.attrs) / (inputs * outputs) };
};

/** The fewest passes by which each rule is known to be computed without loss of accuracy. */
const floors: Readonly<Record<RuleName, Floor>> = {
  zero: passes(0, 1),
  epsilon: passes(0, 1),
  'captum.gamma': passes(1, 1),
  'captum.alpha1Beta0': passes(1, 1),
  alphaBeta: bothHalves,
  zPlus: halfOf,
  'chefer.conv': (attrs, ...layer) => {
    const half = halfOf(attrs, ...layer);
    return attrs.beta === 0 ? half : { forward: 2 * half.forward, back: 2 * half.back };
  },
  gamma: branches,
  zBox: passes(0, 2),
  'chefer.zBox': passes(2, 2),
  wSquare: passes(0, 1),
  flat: boxFilter,
  norm: passes(0, 1),
  pass: passes(0, 0),
  route: passes(0, 1),
  winner: passes(0, 1),
  gradient: passes(0, 1),
  guided: passes(0, 1),
  deconv: passes(0, 0),
  softmax: passes(0, 0),
  stop: passes(0, 0),
  layerNorm: passes(0, 0),
  uniform: passes(0, 0),
  signal: passes(0, 1),
  'chefer.add': passes(0, 0),
  'chefer.addBatch': passes(0, 0),
};

/** What one layer costs for one sample, in all passes together. */
export interface LayerCost {
  readonly layer: Name;
  /** Multiply–adds of the forward. */
  readonly forward: number;
  /** Multiply–adds of forward and relevance together. */
  readonly total: number;
  /**
   * The fewest that its rules need where its values are read and relevance can be other than zero; undefined for a rule
   * of the user's.
   */
  readonly floor: number | undefined;
}

export interface Costs {
  readonly layers: readonly LayerCost[];
  /** Contractions of the forward, and those that relevance adds. */
  readonly forwardContractions: number;
  readonly relevanceContractions: number;
  readonly forward: number;
  readonly total: number;
  /** Undefined where a rule of the user's has none. */
  readonly floor: number | undefined;
}

/** Whether R at the explained scores is one-hot: its transpose is one row of the weight. */
function startsOneHot(graph: Graph, { relevance }: RuledNode): boolean {
  const { op, args } = nodeOf(graph, relevance);
  return op === 'reshape' && (args[0] === 'seed.hot' || args[0] === 'seed.scores_at_target');
}

/** The fewest multiply–adds of one rule on a layer beyond the forward; undefined for a rule of the user's. */
function floorOf(graph: Graph, ruled: RuledNode, necessary: NecessaryWork): number | undefined {
  const floor = Object.hasOwn(floors, ruled.rule) ? floors[ruled.rule as RuleName] : undefined;
  if (floor === undefined) return undefined;
  const { node, lines } = ruled;
  const kernel = nodeOf(graph, node.args[1]!).type.shape.map(Number);
  const { attrs } = lines[0]!;
  const each = floor(attrs, node, kernel);
  const back = startsOneHot(graph, ruled) ? each.back / Number(node.type.shape.at(-1)) : each.back;
  return each.forward * necessary.modified(ruled) + back * necessary.back(ruled);
}

/** The floor of a layer: its forward, and what the rules of all passes add. */
function layerFloor(
  graph: Graph,
  layer: Node,
  rules: readonly RuledNode[],
  necessary: NecessaryWork,
): number | undefined {
  const added = rules.map((rule) => floorOf(graph, rule, necessary));
  const known = added.filter((cost) => cost !== undefined);
  return known.length === added.length ? necessary.forward(layer) + sum(known) : undefined;
}

function totals<Key>(entries: Iterable<readonly [Key, number]>): Map<Key, number> {
  const sums = new Map<Key, number>();
  for (const [key, value] of entries) sums.set(key, (sums.get(key) ?? 0) + value);
  return sums;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/**
 * What an explanation costs.
 * @param ruled  the graph with rule lines, specialized
 * @param compiled  the graph that runs
 * @param output  the model's output that is explained
 * @param rules  those that the rule lines name
 */
export function costsOf(ruled: Graph, compiled: Graph, output: Name, rules: RuleTable = ruleTable): Costs {
  const model = removeDeadCode({ ...ruled, outputs: { output } });
  const forward = new Map(contractions(model).map(({ node, multiplyAdds: cost }) => [node.name, cost]));
  const run = contractions(compiled);
  const total = totals(run.map(({ node, multiplyAdds: cost }) => [servedValue(node.name), cost]));
  const necessary = necessaryWork(ruled, rules);
  const applied = new Map<Name, RuledNode[]>([...forward.keys()].map((name) => [name, []]));
  for (const entry of ruledNodes(ruled)) applied.get(entry.node.name)?.push(entry);
  const layers = [...forward].map(([layer, cost]): LayerCost => {
    const floor = layerFloor(ruled, nodeOf(ruled, layer), applied.get(layer)!, necessary);
    return { layer, forward: cost, total: total.get(layer) ?? 0, floor };
  });
  const known = layers.flatMap(({ floor }) => floor ?? []);
  return {
    layers,
    forwardContractions: forward.size,
    relevanceContractions: run.length - forward.size,
    forward: sum([...forward.values()]),
    total: sum(run.map(({ multiplyAdds: cost }) => cost)),
    floor: known.length === layers.length ? sum(known) : undefined,
  };
}

/** `16 + 30 contractions, 2.97 × forward, floor 2.97` */
export function printCosts({
  forwardContractions,
  relevanceContractions,
  forward,
  total,
  floor,
}: Costs): string {
  const multiple = (cost: number) => (cost / forward).toFixed(2);
  const least = floor === undefined ? '' : `, floor ${multiple(floor)}`;
  return `${forwardContractions} + ${relevanceContractions} contractions, ${multiple(total)} × forward${least}`;
}
