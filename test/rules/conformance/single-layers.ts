// Single layers: relevance of every operand from a dense R, by the rules' formulas and by their expansions.
import { evaluate } from '../../../src/ir/evaluate.js';
import type { Precision } from '../../../src/ir/tensor.js';
import type { Composite } from '../../../src/rules/composite.js';
import { type Golden, GoldenGraph, type GoldenModel, type GoldenRun } from '../golden.js';
import { dialect, lower, propagate, relativeError } from '../support.js';
import { type Comparison, toleranceFor } from './suite.js';

/** The one layer of a recorded model. */
export const layerOf = ({ graph }: GoldenModel) => graph.nodes[0]!;

/** The rule that a run applied to the layer, as the peer names it. */
export function ruleOf(model: GoldenModel, run: GoldenRun) {
  const recorded = run.rules[layerOf(model).id]!;
  return typeof recorded === 'string' ? { rule: recorded } : recorded;
}

/** Relevance by value under a composite: by each rule's formula, and by its expansion. */
export function relevanceBoth(
  graph: GoldenGraph,
  run: GoldenRun,
  composite: Composite,
  precision: Precision,
) {
  const ruled = propagate(graph.graph, composite);
  const inputs = { ...graph.inputs(), R: graph.seed(run) };
  return [ruled, lower(ruled)].map((stage) => evaluate(stage, dialect, inputs, graph.weights, precision));
}

/** The larger of the two errors, at every operand. */
export function compareLayer(
  source: Golden,
  model: GoldenModel,
  run: GoldenRun,
  composite: Composite,
  precision: Precision,
): Comparison[] {
  const graph = new GoldenGraph(source, model);
  const found = relevanceBoth(graph, run, composite, precision);
  return Object.entries(run.relevance).map(([operand, key]) => {
    const recorded = graph.recorded(operand, key);
    const errors = found.map((relevance) => relativeError(relevance[operand]!.data, recorded.data));
    const tolerance = toleranceFor(run.noise[operand] ?? run.noise.worst);
    return { at: operand, error: Math.max(...errors), tolerance };
  });
}
