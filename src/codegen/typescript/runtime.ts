// What emitted explainers need besides tfjs: composite operations and a reader of their weights. It imports only tfjs.
import * as tf from '@tensorflow/tfjs';

type Pair = [number, number];
/** A tensor, or one number for every element. */
type Operand = tf.Tensor | number;

const product = (extents: number[]) => extents.reduce((a, b) => a * b, 1);

/** r / den(z): the stabilised quotient of a relevance rule. */
export function quotient(r: Operand, z: Operand, mode: string, epsilon: Operand): tf.Tensor {
  return tf.tidy(() => {
    const positive = () => tf.greaterEqual(z, 0);
    switch (mode) {
      case 'signed':
        return tf.div(r, tf.where(positive(), tf.add(z, epsilon), tf.sub(z, epsilon)));
      case 'clip':
        return tf.div(r, tf.where(positive(), tf.maximum(z, epsilon), tf.minimum(z, tf.neg(epsilon))));
      case 'plain':
        return tf.div(r, tf.add(z, epsilon));
      case 'chefer': {
        const sum = tf.add(tf.maximum(z, epsilon), tf.minimum(z, epsilon));
        const den = tf.where(tf.equal(sum, 0), tf.mul(tf.onesLike(sum), epsilon), sum);
        return tf.mul(tf.div(r, den), tf.cast(tf.notEqual(z, 0), 'float32'));
      }
      case 'zero-only':
        return tf.div(r, tf.where(tf.equal(z, 0), tf.mul(tf.onesLike(z), epsilon), z));
      case 'exact': {
        const zero = tf.equal(z, 0);
        const ones = tf.onesLike(z);
        return tf.mul(tf.div(r, tf.where(zero, ones, z)), tf.cast(tf.logicalNot(zero), 'float32'));
      }
      default:
        throw new Error(`no denominator mode is called '${mode}'`);
    }
  });
}

/** x · Φ(x) */
export function gelu(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)));
}

/** x, with 1s on the axes it lacks (`aligned`), repeated to `shape`. */
export function broadcast(x: tf.Tensor, aligned: number[], shape: number[]): tf.Tensor {
  return tf.tidy(() => tf.broadcastTo(tf.reshape(x, aligned), shape));
}

/** Every stride-th element from `begin`, `size` of them. */
export function stridedSlice(x: tf.Tensor, begin: number[], size: number[], strides: number[]): tf.Tensor {
  const end = begin.map((at, axis) => at + (size[axis]! - 1) * strides[axis]! + 1);
  return tf.stridedSlice(x, begin, end, strides);
}

/** x with `interior` zeros between its elements, axis by axis. */
export function dilate(x: tf.Tensor, interior: number[]): tf.Tensor {
  return tf.tidy(() => interior.reduce(dilatedAlong, tf.clone(x)));
}

/** x with `gap` zeros between its elements along `axis`: rank-2 padding, for some backends pad no more than six axes. */
function dilatedAlong(x: tf.Tensor, gap: number, axis: number): tf.Tensor {
  if (gap === 0) return x;
  const [outer, inner] = [product(x.shape.slice(0, axis)), product(x.shape.slice(axis + 1))];
  const extent = x.shape[axis]!;
  const spread = extent * (gap + 1) - gap;
  const rows = tf.pad(tf.reshape(x, [outer * extent, inner]), [
    [0, 0],
    [0, gap * inner],
  ]);
  const whole = tf.reshape(rows, [outer, (spread + gap) * inner]);
  const shape = x.shape.map((old, i) => (i === axis ? spread : old));
  return tf.reshape(tf.slice(whole, [0, 0], [outer, spread * inner]), shape);
}

/** `value` around the spatial axes of [n, …spatial, c]. */
function surrounded(x: tf.Tensor, padding: Pair[], value: number): tf.Tensor {
  return padding.some(([low, high]) => low > 0 || high > 0)
    ? tf.pad(x, [[0, 0], ...padding, [0, 0]] as Pair[], value)
    : x;
}

const explicit = (padding: Pair[]) =>
  [[0, 0], ...padding, [0, 0]] as unknown as Parameters<typeof tf.conv2d>[3];

/** Convolution of [n, …spatial, c] with [...window, c / groups, outputs] over one, two or three spatial axes. */
export function conv(
  x: tf.Tensor,
  w: tf.Tensor,
  strides: number[],
  padding: Pair[],
  dilations: number[],
  groups: number,
): tf.Tensor {
  return tf.tidy(() => {
    if (strides.length === 1) {
      const [n, width, channels] = x.shape as [number, number, number];
      const kernel = tf.reshape(w, [1, ...w.shape]);
      const row = conv(
        tf.reshape(x, [n, 1, width, channels]),
        kernel,
        [1, strides[0]!],
        [[0, 0], padding[0]!],
        [1, dilations[0]!],
        groups,
      );
      return tf.reshape(row, [n, row.shape[2]!, row.shape[3]!]);
    }
    if (strides.length === 3) return conv3d(x, w, strides, padding, dilations, groups);
    const depthwise = groups > 1 && w.shape[2] === 1 && groups === x.shape[3];
    if (groups > 1 && !depthwise)
      return grouped(x, w, groups, (xs, ws) => conv(xs, ws, strides, padding, dilations, 1));
    const dilated = dilations.some((step) => step > 1);
    const steps = (dilated ? [1, 1] : strides) as Pair;
    const dense = depthwise
      ? tf.depthwiseConv2d(
          x as tf.Tensor4D,
          perChannel(w, groups),
          steps,
          explicit(padding),
          'NHWC',
          dilations as Pair,
        )
      : tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, steps, explicit(padding), 'NHWC', dilations as Pair);
    return dilated ? subsampled(dense, strides) : dense;
  });
}

/** A kernel [h, w, 1, c·m] as tfjs's depthwise form [h, w, c, m]. */
function perChannel(w: tf.Tensor, channels: number): tf.Tensor4D {
  const [height, width, , outputs] = w.shape as [number, number, number, number];
  return tf.reshape(w, [height, width, channels, outputs / channels]);
}

/** Every stride-th place of each spatial axis: tfjs has no convolution with both strides and dilations. */
function subsampled(x: tf.Tensor, strides: number[]): tf.Tensor {
  if (strides.every((step) => step === 1)) return x;
  return tf.stridedSlice(
    x,
    x.shape.map(() => 0),
    x.shape,
    [1, ...strides, 1],
  );
}

function conv3d(
  x: tf.Tensor,
  w: tf.Tensor,
  strides: number[],
  padding: Pair[],
  dilations: number[],
  groups: number,
): tf.Tensor {
  if (groups > 1) return grouped(x, w, groups, (xs, ws) => conv3d(xs, ws, strides, padding, dilations, 1));
  const dilated = dilations.some((step) => step > 1);
  const steps = (dilated ? [1, 1, 1] : strides) as [number, number, number];
  const dense = tf.conv3d(
    surrounded(x, padding, 0) as tf.Tensor5D,
    w as tf.Tensor5D,
    steps,
    'valid',
    'NDHWC',
    dilations as [number, number, number],
  );
  return dilated ? subsampled(dense, strides) : dense;
}

/** A grouped convolution as one convolution a group. */
function grouped(
  x: tf.Tensor,
  w: tf.Tensor,
  groups: number,
  each: (x: tf.Tensor, w: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  const xs = tf.split(x, groups, x.rank - 1);
  const ws = tf.split(w, groups, w.rank - 1);
  return tf.concat(
    xs.map((part, index) => each(part, ws[index]!)),
    x.rank - 1,
  );
}

type Triple = [number, number, number];

/** Runs `pool` on two spatial axes, the first of extent 1, where x has one. */
function onPlane(
  x: tf.Tensor,
  window: number[],
  strides: number[],
  padding: Pair[],
  pool: (x: tf.Tensor4D, window: Pair, strides: Pair, padding: Pair[]) => tf.Tensor,
): tf.Tensor {
  if (window.length === 2) return pool(x as tf.Tensor4D, window as Pair, strides as Pair, padding);
  return tf.tidy(() => {
    const [n, width, channels] = x.shape as Triple;
    const row = tf.reshape<tf.Rank.R4>(x, [n, 1, width, channels]);
    const pooled = pool(row, [1, window[0]!], [1, strides[0]!], [[0, 0], padding[0]!]);
    return tf.reshape(pooled, [n, pooled.shape[2]!, channels]);
  });
}

export function maxPool(x: tf.Tensor, window: number[], strides: number[], padding: Pair[]): tf.Tensor {
  if (window.length < 3) {
    return onPlane(x, window, strides, padding, (plane, size, steps, pad) =>
      tf.maxPool(plane, size, steps, explicit(pad)),
    );
  }
  return tf.tidy(() => {
    const around = surrounded(x, padding, Number.NEGATIVE_INFINITY) as tf.Tensor5D;
    return tf.maxPool3d(around, window as Triple, strides as Triple, 'valid');
  });
}

/** The mean of the part of each window that lies inside the picture. */
export function avgPool(x: tf.Tensor, window: number[], strides: number[], padding: Pair[]): tf.Tensor {
  if (window.length < 3) {
    return onPlane(x, window, strides, padding, (plane, size, steps, pad) =>
      tf.avgPool(plane, size, steps, explicit(pad)),
    );
  }
  return tf.tidy(() => {
    const pool = (whole: tf.Tensor) => {
      const around = surrounded(whole, padding, 0) as tf.Tensor5D;
      return tf.avgPool3d(around, window as Triple, strides as Triple, 'valid');
    };
    return tf.div(pool(x), pool(tf.onesLike(x)));
  });
}

/** Every place in a window, row by row. */
function placesIn(window: number[]): number[][] {
  return window.reduce<number[][]>(
    (places, extent) => places.flatMap((place) => Array.from({ length: extent }, (_, at) => [...place, at])),
    [[]],
  );
}

/** x taken apart along an axis: its every step-th slices from 0, from 1, …; `step` divides the extent. */
function takenApart(x: tf.Tensor, step: number, axis: number): tf.Tensor[] {
  if (step === 1) return [x];
  const shape = x.shape.map((extent, i) => (i === axis ? extent / step : extent));
  const inner = product(shape.slice(axis + 1));
  const rows = tf.reshape(x, [product(shape.slice(0, axis + 1)), step * inner]);
  return tf.split(rows, step, 1).map((part) => tf.reshape(part, shape));
}

/** The inverse of taking apart. */
function interleaved(parts: tf.Tensor[], axis: number): tf.Tensor {
  if (parts.length === 1) return parts[0]!;
  const { shape } = parts[0]!;
  const rows = parts.map((part) => tf.reshape(part, [product(shape.slice(0, axis + 1)), -1]));
  return tf.reshape(
    tf.concat(rows, 1),
    shape.map((extent, i) => (i === axis ? extent * parts.length : extent)),
  );
}

/**
 * Sends each element of r to the place of x that won the maximum of its window, the first among equals. Written out,
 * for tfjs's own kernel is wrong on some backends: x in parts by the remainder of its places after the strides, then
 * place by place of the window what has not found its winner yet.
 */
export function maxUnpool(
  x: tf.Tensor,
  r: tf.Tensor,
  window: number[],
  strides: number[],
  padding: Pair[],
): tf.Tensor {
  return tf.tidy(() => {
    const spatial = strides.map((step, i) => ({ step, axis: i + 1 }));
    const whole = padding.map(([low, high], i): Pair => {
      const extent = low + x.shape[i + 1]! + high;
      return [low, high + ((strides[i]! - (extent % strides[i]!)) % strides[i]!)];
    });
    const around = surrounded(x, whole, Number.NEGATIVE_INFINITY);
    const parts = spatial.reduce(
      (grid, { step, axis }) => grid.flatMap((part) => takenApart(part, step, axis)),
      [around],
    );
    const sums = parts.map((part) => tf.zerosLike(part));
    const highest = maxPool(x, window, strides, padding);
    let waiting = r;
    for (const place of placesIn(window)) {
      const at = place.reduce((index, offset, i) => index * strides[i]! + (offset % strides[i]!), 0);
      const begin = [0, ...place.map((offset, i) => Math.floor(offset / strides[i]!)), 0];
      const tap = tf.slice(parts[at]!, begin, r.shape);
      const won = tf.mul(waiting, tf.cast(tf.equal(tap, highest), 'float32'));
      waiting = tf.sub(waiting, won);
      const widths = begin.map((low, axis): Pair => [low, parts[at]!.shape[axis]! - low - r.shape[axis]!]);
      sums[at] = tf.add(sums[at]!, surrounded(won, widths.slice(1, -1), 0));
    }
    const joined = spatial.reduceRight(
      (grid, { step, axis }) =>
        Array.from({ length: grid.length / step }, (_, i) =>
          interleaved(grid.slice(i * step, (i + 1) * step), axis),
        ),
      sums,
    );
    return tf.slice(joined[0]!, [0, ...padding.map(([low]) => low), 0], x.shape);
  });
}

export function resize(
  x: tf.Tensor,
  size: number[],
  mode: string,
  alignCorners: boolean,
  halfPixel: boolean,
): tf.Tensor {
  const to = size as Pair;
  return mode === 'nearest'
    ? tf.image.resizeNearestNeighbor(x as tf.Tensor4D, to, alignCorners, halfPixel)
    : tf.image.resizeBilinear(x as tf.Tensor4D, to, alignCorners, halfPixel);
}

/** Runs `row` with `axis` moved to the end, and moves it back. */
function alongLast(x: tf.Tensor, axis: number, row: (x: tf.Tensor) => tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const perm = x.shape.map((_, i) => i).filter((i) => i !== axis);
    perm.push(axis);
    return tf.transpose(
      row(tf.transpose(x, perm)),
      perm.map((_, i) => perm.indexOf(i)),
    );
  });
}

export function softmax(x: tf.Tensor, axis: number): tf.Tensor {
  return alongLast(x, axis, (rows) => tf.softmax(rows));
}

export function logSoftmax(x: tf.Tensor, axis: number): tf.Tensor {
  return alongLast(x, axis, (rows) => tf.logSoftmax(rows));
}

/** The transpose of gather along `axis`: updates summed at the places that the indices name, as a product with one-hot rows. */
export function scatterAdd(updates: tf.Tensor, indices: tf.Tensor, axis: number, shape: number[]): tf.Tensor {
  return tf.tidy(() => {
    const outer = product(shape.slice(0, axis));
    const inner = product(shape.slice(axis + 1));
    const count = indices.size;
    const rows = tf.reshape(tf.transpose(tf.reshape(updates, [outer, count, inner]), [1, 0, 2]), [
      count,
      outer * inner,
    ]);
    const hot = tf.oneHot(tf.reshape(indices, [count]), shape[axis]!);
    const sums = tf.matMul(tf.transpose(tf.cast(hot, 'float32')), rows);
    const apart = tf.transpose(tf.reshape(sums, [shape[axis]!, outer, inner]), [1, 0, 2]);
    return tf.reshape(apart, shape);
  });
}

/** A product of two factors, `bhqd,bhkd->bhqk`, as rank-2 products: the form that every backend is fast at. */
export function einsum(equation: string, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const [left, right, out] = equation.split(/,|->/) as [string, string, string];
  const extent = (index: string) =>
    left.includes(index) ? a.shape[left.indexOf(index)]! : b.shape[right.indexOf(index)]!;
  const pick = (text: string, test: (index: string) => boolean) => [...text].filter(test);
  const shared = pick(out, (i) => left.includes(i) && right.includes(i));
  const rows = pick(out, (i) => !right.includes(i));
  const columns = pick(out, (i) => !left.includes(i));
  const inner = pick(left, (i) => !out.includes(i));
  const size = (indices: string[]) => product(indices.map(extent));
  const arranged = (x: tf.Tensor, own: string, order: string[], shape: number[]) =>
    tf.reshape(
      tf.transpose(
        x,
        order.map((index) => own.indexOf(index)),
      ),
      shape,
    );
  return tf.tidy(() => {
    const batch = size(shared);
    const [m, k, n] = [size(rows), size(inner), size(columns)];
    const as = arranged(a, left, [...shared, ...rows, ...inner], [batch, m, k]);
    const bs = arranged(b, right, [...shared, ...inner, ...columns], [batch, k, n]);
    const page = (x: tf.Tensor, i: number, shape: Pair) =>
      tf.reshape<tf.Rank.R2>(batch === 1 ? x : tf.slice(x, [i, 0, 0], [1, ...shape]), shape);
    const products = Array.from({ length: batch }, (_, i) =>
      tf.matMul(page(as, i, [m, k]), page(bs, i, [k, n])),
    );
    const whole = products.length === 1 ? products[0]! : tf.stack(products);
    const order = [...shared, ...rows, ...columns];
    const grid = tf.reshape(whole, order.map(extent));
    return tf.transpose(
      grid,
      [...out].map((index) => order.indexOf(index)),
    );
  });
}

/** A bias of an einsum's right-only indices, with 1s where the result has others. */
export function alignBias(equation: string, bias: tf.Tensor): tf.Tensor {
  const [left, , out] = equation.split(/,|->/) as [string, string, string];
  let axis = 0;
  return tf.reshape(
    bias,
    [...out].map((index) => (left.includes(index) ? 1 : bias.shape[axis++]!)),
  );
}

/** Weights by key. */
export type Weights = Readonly<Record<string, tf.Tensor>>;

const arrays = { F32: Float32Array, I32: Int32Array, BOOL: Uint8Array } as const;
const dtypes = { F32: 'float32', I32: 'int32', BOOL: 'bool' } as const;

/** Tensors from the bytes of a safetensors file. */
export function readWeights(bytes: ArrayBuffer | Uint8Array): Weights {
  const file = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<
    string,
    { dtype: keyof typeof arrays; shape: number[]; data_offsets: Pair }
  >;
  const tensors: Record<string, tf.Tensor> = {};
  for (const [key, { dtype, shape, data_offsets }] of Object.entries(header)) {
    const data = file.slice(8 + length + data_offsets[0], 8 + length + data_offsets[1]);
    tensors[key] = tf.tensor(new arrays[dtype](data.buffer), shape, dtypes[dtype]);
  }
  return tensors;
}
