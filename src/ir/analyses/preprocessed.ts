// Preprocessing: what is done to an input before anything else, such as x/127.5 − 1 or a crop.
import { activeValues, type Graph, type Name, type Node } from '../graph.js';

/** Ops with constants, and views of one value. */
const ofOne = new Set([
  'add',
  'sub',
  'mul',
  'div',
  'neg',
  'batch_norm',
  'reshape',
  'transpose',
  'cast',
  'slice',
  'pad',
  'reverse',
  'broadcast',
  'resize',
]);

/**
 * The values computed from one input by products and sums with constants, by moving elements and by resizing alone:
 * inputs themselves are among them, and so are channels of one that are joined again.
 */
export function preprocessedValues(graph: Pick<Graph, 'nodes'>): ReadonlySet<Name> {
  const active = activeValues(graph);
  const preprocessed = new Set<Name>();
  const holds = ({ op, args }: Node): boolean => {
    if (op === 'input') return true;
    const operands = args.filter((arg) => active.has(arg));
    // A constant part, a class token, is a share of its own
    const isWhole =
      op === 'concat' ? operands.length === args.length : ofOne.has(op) && operands.length === 1;
    return isWhole && operands.every((arg) => preprocessed.has(arg));
  };
  for (const node of graph.nodes.values()) if (holds(node)) preprocessed.add(node.name);
  return preprocessed;
}
