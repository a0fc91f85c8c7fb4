// Left constants: the products, sums and batch normalizations that no affine op could take.
import { activeValues, type Graph, type Node } from '../graph.js';
import { preprocessedValues } from './preprocessed.js';

/**
 * The nodes that multiply an activation by a constant or add one to it, batch normalization among them, but for the
 * preprocessing of an input. After canonicalization rules see these as ops of their own.
 */
export function leftConstants(graph: Pick<Graph, 'nodes'>): readonly Node[] {
  const active = activeValues(graph);
  const preprocessed = preprocessedValues(graph);
  const isConstantMap = ({ op, args }: Node): boolean => {
    const count = args.filter((arg) => active.has(arg)).length;
    return count === 1 && (op === 'batch_norm' || op === 'add' || op === 'mul');
  };
  return [...graph.nodes.values()].filter(
    (node) => isConstantMap(node) && node.type.dtype === 'f32' && !preprocessed.has(node.name),
  );
}
