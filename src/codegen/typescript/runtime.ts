// What emitted explainers need besides tfjs: composite operations and a reader of their weights. It imports only tfjs.
import * as tf from '@tensorflow/tfjs';

type Pair = [number, number];
type Triple = [number, number, number];
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

/** −1, 0 or 1: tfjs's own is 0 near zero on some backends. */
export function sign(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.sub(tf.step(x), tf.step(tf.neg(x))));
}

/** max(x, 0) + slope · min(x, 0): tfjs's own takes no more than one slope a channel on some backends. */
export function prelu(x: Operand, slope: Operand): tf.Tensor {
  return tf.tidy(() => tf.add(tf.maximum(x, 0), tf.mul(slope, tf.minimum(x, 0))));
}

/** A new last axis, 1 at the index: tfjs's own gives integers, and refuses a depth of 1. */
export function oneHot(indices: tf.Tensor, depth: number): tf.Tensor {
  return tf.tidy(() =>
    tf.cast(tf.equal(tf.expandDims(indices, -1), tf.range(0, depth, 1, 'int32')), 'float32'),
  );
}

/** x · Φ(x) */
export function gelu(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)));
}

/** x · (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2 */
export function geluTanh(x: tf.Tensor): tf.Tensor {
  const inner = () => tf.mul(tf.add(x, tf.mul(tf.mul(x, 0.044715), tf.square(x))), Math.sqrt(2 / Math.PI));
  return tf.tidy(() => tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner()), 1)));
}

/** x · sigmoid x */
export function swish(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(x, tf.sigmoid(x)));
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

/** x with `gap` zeros between its elements along `axis`; joined, for some backends pad six axes at most. */
function dilatedAlong(x: tf.Tensor, gap: number, axis: number): tf.Tensor {
  if (gap === 0) return x;
  const whole = interleaved([x, ...new Array<tf.Tensor>(gap).fill(tf.zerosLike(x))], axis);
  const size = whole.shape.map((extent, i) => (i === axis ? extent - gap : extent));
  return tf.slice(whole, new Array<number>(x.rank).fill(0), size);
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
      const [n, width, channels] = x.shape as Triple;
      const plane = tf.reshape(x, [n, 1, width, channels]);
      const kernel = tf.reshape(w, [1, ...w.shape]);
      const row = conv(plane, kernel, [1, ...strides], [[0, 0], ...padding], [1, ...dilations], groups);
      return tf.reshape(row, [n, row.shape[2]!, row.shape[3]!]);
    }
    const depthwise = w.rank === 4 && w.shape[2] === 1 && groups === x.shape[3];
    if (groups > 1 && !depthwise) {
      const kernels = tf.split(w, groups, -1);
      const parts = tf.split(x, groups, -1);
      return tf.concat(
        parts.map((part, i) => conv(part, kernels[i]!, strides, padding, dilations, 1)),
        -1,
      );
    }
    // tfjs has no convolution with both strides and dilations
    if (strides.some((step) => step > 1) && dilations.some((step) => step > 1)) {
      const every = strides.map(() => 1);
      return subsampled(conv(x, w, every, padding, dilations, groups), strides);
    }
    return convolved(x, w, strides, padding, dilations, depthwise ? groups : 1);
  });
}

/** The kernel of tfjs for a dense or, with `groups` > 1, a depthwise convolution. */
function convolved(...[x, w, strides, padding, dilations, groups]: Parameters<typeof conv>): tf.Tensor {
  if (w.rank === 5) {
    const around = surrounded(x, padding, 0) as tf.Tensor5D;
    return tf.conv3d(around, w as tf.Tensor5D, strides as Triple, 'valid', 'NDHWC', dilations as Triple);
  }
  const [steps, rates] = [strides as Pair, dilations as Pair];
  if (groups === 1) {
    return tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, steps, explicit(padding), 'NHWC', rates);
  }
  // [h, w, 1, c·m] as [h, w, c, m]
  const [height, width, , outputs] = (w as tf.Tensor4D).shape;
  const kernel = tf.reshape<tf.Rank.R4>(w, [height, width, groups, outputs / groups]);
  return tf.depthwiseConv2d(x as tf.Tensor4D, kernel, steps, explicit(padding), 'NHWC', rates);
}

/** Every stride-th place of each spatial axis. */
function subsampled(x: tf.Tensor, strides: number[]): tf.Tensor {
  return tf.stridedSlice(x, new Array<number>(x.rank).fill(0), x.shape, [1, ...strides, 1]);
}

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
    // Place by place of the window: on some backends tfjs's kernel has no maximum below zero
    const around = surrounded(x, padding, Number.NEGATIVE_INFINITY);
    const spatial = window.map((extent, i) => Math.floor((around.shape[i + 1]! - extent) / strides[i]!) + 1);
    const size = [x.shape[0]!, ...spatial, x.shape.at(-1)!];
    const taps = placesIn(window).map((place) =>
      stridedSlice(around, [0, ...place, 0], size, [1, ...strides, 1]),
    );
    return taps.reduce((highest, tap) => tf.maximum(highest, tap));
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
  const rows = tf.reshape(x, [product(shape.slice(0, axis + 1)), -1]);
  return tf.split(rows, step, 1).map((part) => tf.reshape(part, shape));
}

/** The inverse of taking apart. */
function interleaved(parts: tf.Tensor[], axis: number): tf.Tensor {
  if (parts.length === 1) return parts[0]!;
  const { shape } = parts[0]!;
  const rows = parts.map((part) => tf.reshape(part, [product(shape.slice(0, axis + 1)), -1]));
  const whole = shape.map((extent, i) => (i === axis ? extent * parts.length : extent));
  return tf.reshape(tf.concat(rows, 1), whole);
}

/** Spatial places by their remainders after the strides, row by row: [n, …places / strides, c] each. */
function byRemainders(x: tf.Tensor, strides: number[]): tf.Tensor[] {
  return strides.reduce(
    (parts, step, axis) => parts.flatMap((part) => takenApart(part, step, axis + 1)),
    [x],
  );
}

/** The inverse of {@link byRemainders}. */
function fromRemainders(parts: tf.Tensor[], strides: number[]): tf.Tensor {
  const [whole] = strides.reduceRight((rest, step, axis) => {
    const groups = Array.from({ length: rest.length / step }, (_, i) => rest.slice(i * step, (i + 1) * step));
    return groups.map((group) => interleaved(group, axis + 1));
  }, parts);
  return whole!;
}

/**
 * Sends each element of r to the place of x that won the maximum of its window, the first among equals. Written out,
 * for tfjs's own kernel is wrong on some backends: place by place of the window, what has not found its winner yet.
 */
export function maxUnpool(
  x: tf.Tensor,
  r: tf.Tensor,
  window: number[],
  strides: number[],
  padding: Pair[],
): tf.Tensor {
  return tf.tidy(() => {
    const widths = padding.map(([low, high], axis): Pair => {
      const rest = (low + x.shape[axis + 1]! + high) % strides[axis]!;
      return [low, high + (rest === 0 ? 0 : strides[axis]! - rest)];
    });
    const parts = byRemainders(surrounded(x, widths, Number.NEGATIVE_INFINITY), strides);
    const sums = parts.map((part) => tf.zerosLike(part));
    const highest = maxPool(x, window, strides, padding);
    let waiting = r;
    for (const place of placesIn(window)) {
      const at = place.reduce((index, offset, axis) => index * strides[axis]! + (offset % strides[axis]!), 0);
      const begin = [0, ...place.map((offset, axis) => Math.floor(offset / strides[axis]!)), 0];
      const wins = tf.equal(tf.slice(parts[at]!, begin, r.shape), highest);
      const won = tf.mul(waiting, tf.cast(wins, 'float32'));
      waiting = tf.sub(waiting, won);
      const around = begin.map((low, axis): Pair => [low, parts[at]!.shape[axis]! - low - r.shape[axis]!]);
      sums[at] = tf.add(sums[at]!, surrounded(won, around.slice(1, -1), 0));
    }
    const whole = fromRemainders(sums, strides);
    return tf.slice(whole, [0, ...padding.map(([low]) => low), 0], x.shape);
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
    const perm = [...x.shape.keys()].filter((i) => i !== axis).concat(axis);
    const back = perm.map((_, i) => perm.indexOf(i));
    return tf.transpose(row(tf.transpose(x, perm)), back);
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
    const [outer, inner] = [product(shape.slice(0, axis)), product(shape.slice(axis + 1))];
    const rows = tf.reshape(updates, [outer, indices.size, inner]);
    const hot = oneHot(tf.reshape(indices, [indices.size]), shape[axis]!);
    return tf.reshape(einsum('oki,ka->oai', rows, hot), shape);
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
    const data = new Uint8Array(file.subarray(8 + length + data_offsets[0], 8 + length + data_offsets[1]));
    tensors[key] = tf.tensor(new arrays[dtype](data.buffer), shape, dtypes[dtype]);
  }
  return tensors;
}
