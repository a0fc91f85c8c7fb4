// Views: which element of a buffer an element of a value is, as an affine map. Movement costs nothing where it is one.
import { numbersOf } from '../../ir/dialect.js';
import type { Name, Node } from '../../ir/graph.js';
import { rowMajorStrides } from '../../ir/type.js';

/** Element `index` of the value is element offset + Σ index·strides of the buffer. */
export interface View {
  readonly buffer: Name;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /**
   * Of a weight that lies in panels: 16 neighbours along the last axis stand side by side, and so many elements further
   * on the next 16. Loops that run along this axis come in two, over panels and within them.
   */
  readonly panels?: number;
}

/** Columns of a panel. */
export const panelWidth = 16;

/** A weight whose last axis is cut into panels of all its rows: [columns / 16][rows][16]. */
export function inPanels(buffer: Name, shape: readonly number[]): View {
  const rows = shape.slice(0, -1);
  const strides = [...rowMajorStrides(rows).map((stride) => stride * panelWidth), 1];
  return {
    buffer,
    offset: 0,
    shape,
    strides,
    panels: rows.reduce((size, extent) => size * extent, panelWidth),
  };
}

/** A whole buffer, row-major. */
export const whole = (buffer: Name, shape: readonly number[]): View => ({
  buffer,
  offset: 0,
  shape,
  strides: rowMajorStrides(shape),
});

/** Whether a view runs over its elements in row-major order without gaps; axes of extent 1 have no say. */
export function isContiguous({ shape, strides, panels }: View): boolean {
  if (panels !== undefined) return false;
  const own = rowMajorStrides(shape);
  return shape.every((extent, axis) => extent === 1 || strides[axis] === own[axis]);
}

/** The same elements in another shape, or undefined where no affine map says which. */
export function reshaped(view: View, shape: readonly number[]): View | undefined {
  if (isContiguous(view)) return { ...view, shape, strides: rowMajorStrides(shape) };
  const from = view.shape.flatMap((extent, axis) =>
    extent === 1 ? [] : [{ extent, stride: view.strides[axis]! }],
  );
  const strides: number[] = new Array(shape.length).fill(0);
  let axis = shape.length - 1;
  // Runs of old axes that make one with constant stride are cut into new axes, from the last to the first
  while (from.length > 0) {
    let { extent, stride } = from.pop()!;
    while (from.length > 0 && from.at(-1)!.stride === stride * extent) extent *= from.pop()!.extent;
    while (extent > 1) {
      if (axis < 0 || extent % shape[axis]! !== 0) return undefined;
      strides[axis] = stride;
      stride *= shape[axis]!;
      extent /= shape[axis]!;
      axis--;
    }
  }
  return { ...view, shape, strides };
}

function broadcasted(view: View, node: Node, shape: readonly number[]): View {
  const axes = numbersOf(node.attrs, 'axes');
  const strides = shape.map((_, axis) => {
    const from = axes.indexOf(axis);
    return from < 0 || view.shape[from] === 1 ? 0 : view.strides[from]!;
  });
  return { ...view, shape, strides };
}

function sliced(view: View, node: Node, shape: readonly number[]): View {
  const begin = numbersOf(node.attrs, 'begin');
  const stride = node.attrs.stride === undefined ? shape.map(() => 1) : numbersOf(node.attrs, 'stride');
  const offset = begin.reduce((sum, at, axis) => sum + at * view.strides[axis]!, view.offset);
  return { ...view, offset, shape, strides: view.strides.map((step, axis) => step * stride[axis]!) };
}

function reversed(view: View, node: Node): View {
  const axes = numbersOf(node.attrs, 'axes');
  const offset = axes.reduce((sum, axis) => sum + (view.shape[axis]! - 1) * view.strides[axis]!, view.offset);
  return { ...view, offset, strides: view.strides.map((step, axis) => (axes.includes(axis) ? -step : step)) };
}

/** Ops whose result is a view of their operand, wherever an affine map says which. */
export const viewOps: ReadonlySet<string> = new Set([
  'reshape',
  'transpose',
  'broadcast',
  'slice',
  'reverse',
]);

/** The result of a movement as a view of its operand's buffer; undefined where there is none. */
export function moved(node: Node, view: View): View | undefined {
  const shape = node.type.shape as readonly number[];
  switch (node.op) {
    case 'reshape':
      return reshaped(view, shape);
    case 'transpose':
      return {
        ...view,
        shape,
        strides: numbersOf(node.attrs, 'perm').map((axis) => view.strides[axis]!),
      };
    case 'broadcast':
      return broadcasted(view, node, shape);
    case 'slice':
      return sliced(view, node, shape);
    case 'reverse':
      return reversed(view, node);
    default:
      return undefined;
  }
}
