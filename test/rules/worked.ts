// Cases worked by hand: a graph of one op, its data, and what a rule gives by its reference and by its expansion.
import { expect } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { forward } from '../../src/ir/forward.js';
import type { Attrs, Graph, Name } from '../../src/ir/graph.js';
import { parse } from '../../src/ir/parse.js';
import { bindShape, elementCount } from '../../src/ir/type.js';
import type { RuleName } from '../../src/rules/rules.js';
import { dialect, exact, lower, relativeError, withRule } from './support.js';

/** A graph of one op `%z`; inputs and weights are given as `name: [type, values]`. */
export interface Worked {
  readonly graph: Graph;
  readonly data: Readonly<Record<Name, readonly number[]>>;
}

export function worked(
  given: Readonly<Record<Name, readonly [type: string, values: readonly number[]]>>,
  z: string,
): Worked {
  const lines = Object.entries(given).map(([name, [type]]) => `%${name} = input() : ${type}`);
  const graph = parse(['graph @worked {', ...lines, `%z = ${z}`, 'return %z', '}'].join('\n'), forward);
  const data = Object.entries(given).map(([name, [, values]]) => [name, values] as const);
  return { graph, data: Object.fromEntries(data) };
}

/** The reference and the expansion both give `wanted`; as many samples as R has. */
export function expectRelevance(
  { graph, data }: Worked,
  rule: RuleName,
  params: Attrs,
  R: readonly number[],
  wanted: readonly number[],
  operand = 0,
): void {
  const ruled = withRule(graph, rule, params, operand);
  const samples = R.length / elementCount(ruled.nodes.get('z')!.type.shape);
  const feed = (name: Name, values: readonly number[]) =>
    exact(bindShape(ruled.nodes.get(name)!.type.shape, samples), values);
  const given = Object.entries({ ...data, R }).map(([name, values]) => [name, feed(name, values)]);
  for (const stage of [ruled, lower(ruled)]) {
    const { r } = evaluate(stage, dialect, Object.fromEntries(given), new Map());
    expect(relativeError(r!.data, wanted), `got ${r!.data}, wanted ${wanted}`).toBeLessThan(1e-15);
  }
}

export const exactly = { denominator: 'exact' };

/**
 * x = (1, 2, −1). Contributions to z₀: 1, 4, −1, bias 1; to z₁: −1, 2, 2, bias −6. So z = (5, −3), and (4, 3) without
 * the bias; of one sign only: zα = (1+4+1, 2+2) and zβ = (−1, −1−6).
 */
export const dense = worked(
  {
    x: ['f32[N,3]', [1, 2, -1]],
    w: ['f32[3,2]', [1, -1, 2, 1, 1, -2]],
    b: ['f32[2]', [1, -6]],
  },
  'einsum(%x, %w, %b) {eq="bi,ij->bj"} : f32[N,2]',
);
/** Relevance of the two neurons of `dense`. */
export const R = [10, 6];
