// Attention masks: inputs that reach no output but through a mask of attention scores.
//
// Behind the logits of an attention matrix, through views, sums, products and selections, stand the scores: a product of
// activations. What joins them on that way, an addend, a factor or a condition, is a mask. An input that reaches no
// output once masks are cut off says which tokens see each other, and nothing of what they hold.
import { activeValues, type Graph, type Name, type Node, nodeOf, nodesWithOp } from '../graph.js';
import { attentionMatrices } from './attention.js';

/** Elementwise ops that a mask joins scores by, and views on the way. */
const joining: ReadonlySet<string> = new Set([
  'add',
  'sub',
  'mul',
  'div',
  'minimum',
  'maximum',
  'select',
  'reshape',
  'transpose',
  'broadcast',
  'slice',
]);

/** The values that stand for scores: products of two activations, and what joins them with anything. */
function scoreValues(graph: Graph, active: ReadonlySet<Name>): ReadonlySet<Name> {
  const scores = new Set<Name>();
  for (const { name, op, args } of graph.nodes.values()) {
    const isProduct = op === 'einsum' && args.slice(0, 2).every((arg) => active.has(arg));
    if (isProduct || (joining.has(op) && args.some((arg) => scores.has(arg)))) scores.add(name);
  }
  return scores;
}

/** The operands that join scores on the way to attention logits, as `user slot`. */
function maskOperands(graph: Graph, active: ReadonlySet<Name>): ReadonlySet<string> {
  const scores = scoreValues(graph, active);
  const masks = new Set<string>();
  const seen = new Set<Name>();
  const pending = attentionMatrices(graph).map(({ matrix }) => nodeOf(graph, matrix).args[0]!);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const { op, args } = nodeOf(graph, name);
    if (seen.has(name) || !scores.has(name) || !joining.has(op)) continue;
    seen.add(name);
    for (const [slot, arg] of args.entries()) {
      const isCondition = op === 'select' && slot === 0;
      if (scores.has(arg) && !isCondition) pending.push(arg);
      else masks.add(operandKey(name, slot));
    }
  }
  return masks;
}

const operandKey = (user: Name, slot: number) => `${user} ${slot}`;

/** The values that depend on an input by another way than through masks. */
function reached(graph: Graph, input: Node, masks: ReadonlySet<string>): ReadonlySet<Name> {
  const found = new Set<Name>([input.name]);
  for (const { name, args } of graph.nodes.values()) {
    if (args.some((arg, slot) => found.has(arg) && !masks.has(operandKey(name, slot)))) found.add(name);
  }
  return found;
}

/** The inputs that only mask attention, in order; none where that would be all of them. */
export function attentionMasks(graph: Graph): readonly Name[] {
  const masks = maskOperands(graph, activeValues(graph));
  if (masks.size === 0) return [];
  const outputs = Object.values(graph.outputs);
  const reaches = (input: Node, cut: ReadonlySet<string>) => {
    const found = reached(graph, input, cut);
    return outputs.some((output) => found.has(output));
  };
  const inputs = nodesWithOp(graph, 'input');
  const masking = inputs.filter((input) => !reaches(input, masks) && reaches(input, new Set()));
  return masking.length === inputs.length ? [] : masking.map(({ name }) => name);
}
