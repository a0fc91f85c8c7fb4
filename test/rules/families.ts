// Families of ops: what a trial of a rule is counted as.
import type { Node } from '../../src/ir/graph.js';
import { parseEquation } from '../../src/ir/ops/einsum.js';
import { groupsOf } from '../../src/ir/ops/window.js';
import type { SingleOp } from './single-ops.js';

function einsumFamily({ graph, node }: SingleOp): string {
  if (graph.nodes.get(node.args[1]!)!.op === 'input') return 'product of activations';
  const { contracted, shared } = parseEquation(node.attrs.eq as string);
  if (contracted.length > 1) return 'dense over several axes';
  return shared === '' ? 'dense' : 'dense by place';
}

/** `conv 2-D, depthwise, dilated`. */
function convolutionFamily(node: Node, channels: number): string {
  const groups = groupsOf(node.attrs);
  const dilations = (node.attrs.dilations ?? []) as readonly number[];
  const grouping = groups === 1 ? [] : [groups === channels ? 'depthwise' : 'grouped'];
  const dilation = dilations.some((step) => step > 1) ? ['dilated'] : [];
  return [`${node.op} ${node.type.shape.length - 2}-D`, ...grouping, ...dilation].join(', ');
}

export function familyOf(single: SingleOp): string {
  const { graph, node } = single;
  if (node.op === 'einsum') return einsumFamily(single);
  if (node.op !== 'conv' && node.op !== 'conv_transpose') return node.op;
  return convolutionFamily(node, graph.nodes.get(node.args[0]!)!.type.shape.at(-1) as number);
}
