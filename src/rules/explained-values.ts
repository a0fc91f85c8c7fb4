// Explained values: where relevance of an input is read, and how it becomes a number for each element of the input.
import { attentionMasks } from '../ir/analyses/attention-masks.js';
import type { Arithmetic } from '../ir/arithmetic.js';
import { type Graph, type Name, type Node, nodeOf, nodesWithOp, usesOf } from '../ir/graph.js';
import { elementCount } from '../ir/type.js';

/** Ops by which whole numbers become floating point, and the operand that holds them. */
const lookups: ReadonlyMap<string, number> = new Map([
  ['gather', 1],
  ['cast', 0],
  ['one_hot', 0],
]);

/** Where the whole numbers of an input become floating point: the rows of an embedding, or a cast. */
function firstFloats(graph: Graph, input: Name): Name[] {
  const whole = new Set<Name>([input]);
  const floats: Name[] = [];
  for (const { name, op, args, type } of graph.nodes.values()) {
    if (!args.some((arg) => whole.has(arg))) continue;
    if (type.dtype === 'i32') whole.add(name);
    const slot = lookups.get(op);
    if (type.dtype === 'f32' && slot !== undefined && whole.has(args[slot]!)) floats.push(name);
  }
  return floats;
}

/** Whether a model takes the numbers of an input as whole ones: an integer, or a float that is only ever cast to one. */
function isWhole(graph: Graph, input: Node, uses: ReturnType<typeof usesOf>): boolean {
  if (input.type.dtype !== 'f32') return input.type.dtype === 'i32';
  const users = uses.get(input.name)!.map(({ user }) => nodeOf(graph, user));
  return users.length > 0 && users.every(({ type }) => type.dtype !== 'f32');
}

/**
 * The floating-point inputs, and the first float value of each input of whole numbers: where relevance is read. Inputs
 * that only mask attention are left out, unless values are asked for by name.
 */
export function explainedValues(
  graph: Graph,
  notes: string[],
  asked?: readonly Name[],
): ReadonlyMap<Name, Name> {
  const explained = new Map<Name, Name>();
  const uses = usesOf(graph);
  const masks = asked === undefined ? attentionMasks(graph) : [];
  for (const mask of masks) notes.push(`input %${mask} only masks attention: it is not explained`);
  for (const input of nodesWithOp(graph, 'input').filter(({ name }) => !masks.includes(name))) {
    if (!isWhole(graph, input, uses)) {
      if (input.type.dtype === 'f32') explained.set(input.name, input.name);
      continue;
    }
    const [first, ...others] = firstFloats(graph, input.name);
    if (first === undefined) continue;
    explained.set(input.name, first);
    if (others.length > 0) {
      notes.push(`input %${input.name} is explained at %${first} alone, not at %${others.join(', %')}`);
    }
  }
  return explained;
}

/** What makes one number of those along an embedding: relevance adds up; of a derivative the length is what counts. */
export type Combination = 'sum' | 'length';

/** Σ v, or √Σ v², over axes, which disappear. */
function combined(k: Arithmetic, v: Name, axes: readonly number[], how: Combination, name?: Name): Name {
  if (axes.length === 0) return v;
  if (how === 'length') return k.unary('sqrt', k.sum(k.unary('square', v), axes), name);
  return k.builder.add('sum', [v], { attrs: { axes }, ...(name === undefined ? {} : { name }) });
}

/**
 * The relevance of an input from that of the value it is explained at: a number for each element, of those along the
 * axes that an embedding adds.
 * @param name  of the result, where one is made
 */
export function perElement(
  k: Arithmetic,
  input: Node,
  { value, relevance, how }: { readonly value: Name; readonly relevance: Name; readonly how: Combination },
  name: Name,
): Name {
  const { builder } = k;
  const { shape } = builder.typeOf(relevance);
  if (value === input.name || shape.length === 0) return relevance;
  const wanted = elementCount(input.type.shape);
  let kept = shape.length;
  while (kept > 0 && elementCount(shape.slice(0, kept)) > wanted) kept--;
  if (elementCount(shape.slice(0, kept)) !== wanted) return relevance;
  const axes = Array.from({ length: shape.length - kept }, (_, index) => kept + index);
  const isShaped = shape.slice(0, kept).join() === input.type.shape.join();
  if (isShaped) return combined(k, relevance, axes, how, name);
  const numbers = combined(k, relevance, axes, how);
  return builder.add('reshape', [numbers], { type: { dtype: 'f32', shape: input.type.shape }, name });
}
