// Kernels that move data: reshapes, slices, joins, padding, gathers.
import * as tf from '@tensorflow/tfjs';
import { OpProblem } from '../../ir/dialect.js';
import type { Name } from '../../ir/graph.js';
import { padAttrs, sliceAttrs } from '../../ir/ops/movement.js';
import type { Recorder } from '../recorder.js';
import { cutBefore } from './batch-first.js';
import {
  axesOf,
  broadcastTo,
  elements,
  type KernelCall,
  listOf,
  need,
  numberAttr,
  reshape,
  spelledNumber,
  type TranslationTable,
} from './kernel.js';

function slice(
  r: Recorder,
  x: Name,
  begin: readonly number[],
  size: readonly number[],
  stride: readonly number[],
): Name {
  if (size.some((extent) => extent < 1)) throw new OpProblem('RELC1004', `an empty slice [${size}]`);
  if (size.join() === r.shapeOf(x).join() && stride.every((step) => step === 1)) return x;
  const before = cutBefore(r, x, { begin, size, stride }, (source, cut) =>
    slice(r, source, cut.begin, cut.size, cut.stride),
  );
  if (before !== undefined) return before;
  return r.add('slice', [x], sliceAttrs(begin, stride), { dtype: r.typeOf(x).dtype, shape: size });
}

const ones = (rank: number) => new Array<number>(rank).fill(1);

function sliceAlong(r: Recorder, x: Name, axis: number, start: number, size: number): Name {
  const shape = r.shapeOf(x);
  const begin = shape.map((_, i) => (i === axis ? start : 0));
  return slice(
    r,
    x,
    begin,
    shape.map((extent, i) => (i === axis ? size : extent)),
    ones(shape.length),
  );
}

function splitV(call: KernelCall): Name[] {
  const x = need(call, 'x');
  const shape = call.r.shapeOf(x);
  const axis = axesOf(numberAttr(call, 'axis'), shape.length)[0]!;
  const stated = call.attrs.numOrSizeSplits as number | number[];
  const sizes =
    typeof stated === 'number' ? new Array<number>(stated).fill(shape[axis]! / stated) : [...stated];
  const known = sizes.filter((size) => size >= 0).reduce((a, b) => a + b, 0);
  let start = 0;
  return sizes.map((size) => {
    const extent = size < 0 ? shape[axis]! - known : size;
    const part = sliceAlong(call.r, x, axis, start, extent);
    start += extent;
    return part;
  });
}

interface StridedAttrs {
  readonly begin: number[];
  readonly end: number[];
  readonly strides: number[];
  readonly beginMask: number;
  readonly endMask: number;
  readonly ellipsisMask: number;
  readonly newAxisMask: number;
  readonly shrinkAxisMask: number;
}

/** A strided slice. tfjs works out its masks: which ends are open, which axes are new or shrink away. */
function stridedSlice(call: KernelCall): Name {
  const { r } = call;
  const x = need(call, 'x');
  const extents = r.shapeOf(x);
  const stated = call.attrs as unknown as StridedAttrs;
  const { beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = stated;
  const masks = [beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask] as const;
  const plan = tf.slice_util.sliceInfo([...extents], stated.begin, stated.end, stated.strides, ...masks);
  if (shrinkAxisMask !== 0 && !plan.isSimpleSlice) {
    throw new OpProblem(
      'RELC2001',
      'tfjs takes the wrong elements where an axis shrinks beside a stride',
      'slice in two steps',
    );
  }
  const size = tf.slice_util.computeOutShape(plan.begin, plan.end, plan.strides);
  const reversed = plan.strides.flatMap((step, axis) => (step < 0 ? [axis] : []));
  const forwards = reversed.length === 0 ? x : r.add('reverse', [x], { axes: reversed });
  const begin = plan.begin.map((at, axis) => (plan.strides[axis]! < 0 ? extents[axis]! - 1 - at : at));
  return reshape(r, slice(r, forwards, begin, size, plan.strides.map(Math.abs)), plan.finalShape);
}

function pad(call: KernelCall): Name {
  const paddings = call.attrs.paddings as number[][];
  const value = spelledNumber(call, 'constantValue', 0);
  const attrs = padAttrs(
    paddings.map((pair) => pair[0]!),
    paddings.map((pair) => pair[1]!),
    paddings.map(() => 0),
  );
  if (paddings.every((pair) => pair[0] === 0 && pair[1] === 0)) return need(call, 'x');
  return call.r.add('pad', [need(call, 'x')], value === 0 ? attrs : { ...attrs, value });
}

/** Mirror padding as slices, reversals and joins: every element a copy. */
function mirrorPad(call: KernelCall): Name {
  const { r } = call;
  const paddings = call.attrs.paddings as number[][];
  const skip = call.attrs.mode === 'reflect' ? 1 : 0;
  return paddings.reduce(
    (x, [low, high], axis) => {
      const extent = r.shapeOf(x)[axis]!;
      const mirrored = (start: number, size: number) =>
        r.add('reverse', [sliceAlong(r, x, axis, start, size)], { axes: [axis] });
      const parts = [
        ...(low! > 0 ? [mirrored(skip, low!)] : []),
        x,
        ...(high! > 0 ? [mirrored(extent - skip - high!, high!)] : []),
      ];
      return parts.length === 1 ? x : r.add('concat', parts, { axis });
    },
    need(call, 'x'),
  );
}

/** Repetitions as a broadcast along new axes, one before each axis that grows. */
function tile(call: KernelCall): Name {
  const { r } = call;
  const x = need(call, 'x');
  const shape = r.shapeOf(x);
  const reps = call.attrs.reps as number[];
  if (reps.every((count) => count === 1)) return x;
  const spread = shape.flatMap((extent, axis) => (reps[axis] === 1 ? [extent] : [reps[axis]!, extent]));
  const axes = shape.map((_, axis) => axis + reps.slice(0, axis + 1).filter((count) => count !== 1).length);
  const view = r.add('broadcast', [x], { axes }, { dtype: r.typeOf(x).dtype, shape: spread });
  return r.k.reshape(
    view,
    shape.map((extent, axis) => extent * reps[axis]!),
  );
}

function gather(call: KernelCall): Name {
  const { r } = call;
  const x = need(call, 'x');
  const rank = r.shapeOf(x).length;
  if (numberAttr(call, 'batchDims', 0) !== 0) {
    throw new OpProblem(
      'RELC2001',
      'gather with batchDims is not supported',
      'gather along one axis, or use an einsum with a one-hot',
    );
  }
  const axis = axesOf(numberAttr(call, 'axis', 0), rank)[0]!;
  const indices = need(call, 'indices');
  return oneFrom(r, x, indices, axis) ?? gatherUnreshaped(r, x, indices, axis);
}

/** x[reshape(i)] = reshape(x[i]): an embedding layer flattens its ids, and is to be seen as a lookup of the ids themselves. */
function gatherUnreshaped(r: Recorder, x: Name, indices: Name, axis: number): Name {
  const { op, args } = r.builder.node(indices);
  if (op !== 'reshape') return r.add('gather', [x, indices], { axis });
  const shape = r.shapeOf(x).toSpliced(axis, 1, ...r.shapeOf(indices));
  return r.k.reshape(gatherUnreshaped(r, x, args[0]!, axis), shape);
}

/** What one constant index picks, as a slice; undefined of other indices. */
function oneFrom(r: Recorder, x: Name, indices: Name, axis: number): Name | undefined {
  const { op, attrs } = r.builder.node(indices);
  const index = [attrs.value].flat()[0];
  if (op !== 'constant' || r.shapeOf(indices).length > 0 || typeof index !== 'number') return undefined;
  const shape = r.shapeOf(x);
  if (index < 0 || index >= shape[axis]!) return undefined;
  return reshape(
    r,
    sliceAlong(r, x, axis, index, 1),
    shape.filter((_, other) => other !== axis),
  );
}

function depthToSpace(call: KernelCall): Name {
  const { r } = call;
  const x = need(call, 'x');
  const [n, h, w, c] = r.shapeOf(x) as [number, number, number, number];
  const block = numberAttr(call, 'blockSize');
  if (call.attrs.dataFormat === 'NCHW')
    throw new OpProblem('RELC2001', 'depthToSpace in NCHW is not supported');
  const depth = c / (block * block);
  const split = r.k.reshape(x, [n, h, w, block, block, depth]);
  return r.k.reshape(r.k.transpose(split, [0, 1, 3, 2, 4, 5]), [n, h * block, w * block, depth]);
}

function stack(call: KernelCall): Name {
  const { r } = call;
  const parts = listOf(call);
  const shape = r.shapeOf(parts[0]!);
  const axis = axesOf(numberAttr(call, 'axis', 0), shape.length + 1)[0]!;
  const unit = [...shape.slice(0, axis), 1, ...shape.slice(axis)];
  return r.add(
    'concat',
    parts.map((part) => r.k.reshape(part, unit)),
    { axis },
  );
}

function unstack(call: KernelCall): Name[] {
  const { r } = call;
  const x = need(call, 'value');
  const shape = r.shapeOf(x);
  const axis = axesOf(numberAttr(call, 'axis', 0), shape.length)[0]!;
  const rest = shape.filter((_, i) => i !== axis);
  return Array.from({ length: shape[axis]! }, (_, at) => reshape(r, sliceAlong(r, x, axis, at, 1), rest));
}

function oneHot(call: KernelCall): Name {
  const { r } = call;
  const hot = r.add('one_hot', [need(call, 'indices')], { depth: numberAttr(call, 'depth') });
  const [on, off] = [numberAttr(call, 'onValue', 1), numberAttr(call, 'offValue', 0)];
  if (on === 1 && off === 0) return hot;
  return r.add('add', [r.k.scale(hot, on - off), r.k.constant(off, hot)]);
}

export const movement: TranslationTable = {
  Reshape: (call) => reshape(call.r, need(call, 'x'), inferredShape(call)),
  ExpandDims(call) {
    const x = need(call, 'input');
    const shape = [...call.r.shapeOf(x)];
    shape.splice(axesOf(numberAttr(call, 'dim'), shape.length + 1)[0]!, 0, 1);
    return reshape(call.r, x, shape);
  },
  Transpose: (call) => call.r.k.transpose(need(call, 'x'), call.attrs.perm as number[]),
  Slice(call) {
    const x = need(call, 'x');
    const shape = call.r.shapeOf(x);
    const full = (stated: unknown, fill: number) => {
      const list = typeof stated === 'number' ? [stated] : [...(stated as number[])];
      return shape.map((_, axis) => list[axis] ?? fill);
    };
    const begin = full(call.attrs.begin, 0);
    const size = full(call.attrs.size, -1).map((extent, axis) =>
      extent < 0 ? shape[axis]! - begin[axis]! : extent,
    );
    return slice(call.r, x, begin, size, ones(shape.length));
  },
  StridedSlice: stridedSlice,
  SplitV: splitV,
  Concat(call) {
    const parts = listOf(call);
    const rank = call.r.shapeOf(parts[0]!).length;
    const axis = axesOf(numberAttr(call, 'axis', 0), rank)[0]!;
    return parts.length === 1 ? parts[0]! : call.r.add('concat', parts, { axis });
  },
  Pack: stack,
  Unpack: unstack,
  PadV2: pad,
  MirrorPad: mirrorPad,
  Reverse(call) {
    const x = need(call, 'x');
    const axes = axesOf(call.attrs.dims, call.r.shapeOf(x).length);
    return axes.length === 0 ? x : call.r.add('reverse', [x], { axes });
  },
  Tile: tile,
  BroadcastTo: (call) => broadcastTo(call.r, need(call, 'x'), call.attrs.shape as number[]),
  GatherV2: gather,
  DepthToSpace: depthToSpace,
  OneHot: oneHot,
};

/** A reshape's target with −1 worked out. */
function inferredShape(call: KernelCall): number[] {
  const shape = [...(call.attrs.shape as number[])];
  const open = shape.indexOf(-1);
  if (open < 0) return shape;
  const known = shape.reduce((product, extent) => (extent < 0 ? product : product * extent), 1);
  const own = call.r.shapeOf(need(call, 'x'));
  const extent = elements(own) / known;
  if (!Number.isInteger(extent)) {
    throw new OpProblem(
      'RELC1004',
      `[${own}] cannot be reshaped to [${shape}]: ${elements(own)} is no multiple of ${known}`,
    );
  }
  shape[open] = extent;
  return shape;
}
