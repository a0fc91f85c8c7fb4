// Pads: zeros around a picture that only a convolution reads are the convolution's own padding.
import { countUses } from '../../analyses/uses.js';
import { type Dialect, numberOf, numbersOf, pairsOf } from '../../dialect.js';
import type { Graph, Name, Node } from '../../graph.js';
import { rewrite } from '../rewrite.js';

/** Whether a pad only puts zeros around the spatial axes of [n, …spatial, c]. */
function isZeroFrame({ op, attrs, type }: Node): boolean {
  if (op !== 'pad' || numberOf(attrs, 'value', 0) !== 0) return false;
  const [low, high] = [numbersOf(attrs, 'low'), numbersOf(attrs, 'high')];
  const ends = [0, type.shape.length - 1];
  return (
    numbersOf(attrs, 'interior').every((gap) => gap === 0) &&
    ends.every((axis) => low[axis] === 0 && high[axis] === 0)
  );
}

/** conv(pad(x)) = conv(x) with as much more padding; x may be padded itself. */
export function mergePads(graph: Graph, dialect: Dialect): Graph {
  const uses = countUses(graph);
  return rewrite(graph, dialect, (node, { builder }) => {
    if (node.op !== 'conv') return undefined;
    let [x] = node.args as [Name];
    let padding = pairsOf(node.attrs, 'padding');
    for (let pad = builder.node(x); isZeroFrame(pad) && uses.get(x) === 1; pad = builder.node(x)) {
      const [low, high] = [numbersOf(pad.attrs, 'low'), numbersOf(pad.attrs, 'high')];
      padding = padding.map(([before, after], axis) => [before + low[axis + 1]!, after + high[axis + 1]!]);
      [x] = pad.args as [Name];
      builder.alias(pad.name, x);
    }
    if (x === node.args[0]) return undefined;
    const { name, type, loc } = node;
    const attrs = { ...node.attrs, padding };
    return builder.add('conv', [x, ...node.args.slice(1)], { name, attrs, type, loc });
  });
}
