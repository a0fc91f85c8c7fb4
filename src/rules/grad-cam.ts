// Grad-CAM: the channels of one layer weighted by their mean derivative, at the size of the input.
import type { Arithmetic } from '../ir/arithmetic.js';
import { RelcError } from '../ir/error.js';
import { forward } from '../ir/forward.js';
import { type Graph, type Name, nodeOf, usesOf } from '../ir/graph.js';
import { printType } from '../ir/type.js';

/** The last convolution whose result `end` depends on, or the activation behind it that alone uses it. */
export function lastConvolution(graph: Graph, end: Name): Name {
  const uses = usesOf(graph);
  const needed = new Set<Name>([end]);
  for (const node of [...graph.nodes.values()].reverse()) {
    if (!needed.has(node.name)) continue;
    for (const arg of node.args) needed.add(arg);
    if (node.op !== 'conv' && node.op !== 'conv_transpose') continue;
    const [use, ...others] = uses.get(node.name)!;
    const user = use === undefined || others.length > 0 ? undefined : nodeOf(graph, use.user);
    if (user === undefined || !needed.has(user.name)) return node.name;
    return forward[user.op as 'relu']?.traits?.activation === true ? user.name : node.name;
  }
  throw new RelcError(
    'RELC3005',
    'grad-cam looks at the last convolution, and the model has none',
    'name a value [N, height, width, channels] with the option layer',
  );
}

/**
 * (Σ_c mean_{h,w}(G_c) · A_c)⁺ for A and its gradient G, [N, h, w, c], resized to the input's height and width: [N, H, W, 1].
 * @throws RelcError RELC3002 where A or the input is no picture
 */
export function addGradCam(k: Arithmetic, a: Name, gradient: Name, input: Name, name: Name): Name {
  const { builder } = k;
  const type = builder.typeOf(a);
  const whole = builder.typeOf(input);
  if (type.shape.length !== 4 || whole.shape.length !== 4) {
    throw new RelcError(
      'RELC3002',
      `grad-cam takes the layer %${a} and the input %${input}, ${printType(type)} and ${printType(whole)}: both must be [N, height, width, channels]`,
      'name another value with the option layer',
    );
  }
  const weights = builder.add('mean', [gradient], { attrs: { axes: [1, 2] } });
  const weighted = k.mul(a, k.spreadBack(weights, [1, 2], type));
  const map = k.unary('relu', k.sum(weighted, [3]));
  const [n, height, width] = type.shape;
  const picture = k.reshape(map, [n!, height!, width!, 1]);
  const size = { dtype: 'f32', shape: [...whole.shape.slice(0, 3), 1] } as const;
  return builder.add('resize', [picture], {
    attrs: { mode: 'bilinear', half_pixel: true },
    type: size,
    name,
  });
}
