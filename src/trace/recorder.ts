// The recorder: turns the kernels of one run of a model into nodes of a graph at one concrete batch size.
import type * as tf from '@tensorflow/tfjs';
import { Arithmetic } from '../ir/arithmetic.js';
import { GraphBuilder } from '../ir/builder.js';
import { RelcError } from '../ir/error.js';
import { forward } from '../ir/forward.js';
import { type Attrs, type Graph, type Loc, type Name, type Node, printLoc, userName } from '../ir/graph.js';
import { sizeOf, type TensorData, tensor, type Weights } from '../ir/tensor.js';
import type { Dtype, TensorType } from '../ir/type.js';
import { callSite, tidyPath } from './location.js';

const dtypesOf: Readonly<Record<string, Dtype>> = { float32: 'f32', int32: 'i32', bool: 'bool' };

/** Constants up to this many elements are written into the graph unless they are named weights. */
const inlineElements = 16;

/** A value as kernels see it: its name in the graph and its type. */
export interface Value {
  readonly name: Name;
  readonly type: TensorType;
}

export class Recorder {
  readonly builder: GraphBuilder;
  readonly k: Arithmetic;
  readonly weights = new Map<string, TensorData>();
  /** Layers open at this moment, outermost first. */
  readonly layers: string[] = [];
  private readonly values = new WeakMap<object, Name>();
  private readonly constants = new Map<string, Name>();
  private readonly idOf = new WeakMap<object, number>();
  private ids = 0;
  private readonly active = new Set<Name>();
  private readonly unjudged: Iterator<Node>;
  private judged = 0;

  /**
   * @param weightNames  names of the model's weights by tfjs data id
   * @param sites  whether call sites are recorded: they say nothing where a library runs the model
   * @param read  weights that were read before, by data id: a second trace reads none again
   */
  constructor(
    graphName: string,
    private readonly weightNames: ReadonlyMap<object, string>,
    private readonly sites: boolean,
    private readonly read: Map<object, TensorData>,
  ) {
    this.builder = new GraphBuilder(graphName, forward);
    this.k = new Arithmetic(this.builder);
    this.unjudged = this.builder.nodes.values();
  }

  /** Lets a tfjs data id stand for a value. */
  bind(dataId: object, name: Name): void {
    this.values.set(dataId, name);
  }

  isTraced(dataId: object): boolean {
    return this.values.has(dataId);
  }

  /** The traced value behind a data id, for messages. */
  describe(dataId: object): string {
    const name = this.values.get(dataId)!;
    const node = this.builder.node(name);
    const place = printLoc(node.loc);
    return `%${name} = ${node.op}${place === '' ? '' : ` (${place})`}`;
  }

  input(name: Name, type: TensorType): Name {
    return this.builder.add('input', [], { name: userName(name), type, loc: {} });
  }

  /** The place of the kernel that runs now. */
  place(): Loc {
    const layer = this.layers.length > 0 ? this.layers.join('/') : tidyPath();
    const site = this.sites ? callSite() : undefined;
    return { ...(layer === undefined ? {} : { layer }), ...(site === undefined ? {} : { site }) };
  }

  /** The value of a kernel's operand: traced, or a constant that becomes a weight or is written out. */
  operand(given: tf.Tensor): Value {
    const name = this.values.get(given.dataId) ?? this.constant(given);
    return { name, type: this.builder.typeOf(name) };
  }

  add(op: string, args: readonly Name[], attrs: Attrs = {}, type?: TensorType): Name {
    return this.builder.add(op, args, { attrs, ...(type === undefined ? {} : { type }) });
  }

  typeOf(name: Name): TensorType {
    return this.builder.typeOf(name);
  }

  /** The dimensions of a value: always numbers while a model is traced. */
  shapeOf(name: Name): readonly number[] {
    return this.typeOf(name).shape as readonly number[];
  }

  /** Whether a value depends on no input. Every node is looked at once, for graphs may be thousands of nodes deep. */
  isConstant(name: Name): boolean {
    for (; this.judged < this.builder.nodes.size; this.judged++) {
      const node: Node = this.unjudged.next().value!;
      if (node.op === 'input' || node.args.some((arg) => this.active.has(arg))) this.active.add(node.name);
    }
    return !this.active.has(name);
  }

  private constant(given: tf.Tensor): Name {
    const key = `${this.identify(given.dataId)}:${given.dtype}:${given.shape.join()}`;
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const name = this.addConstant(given);
    this.constants.set(key, name);
    return name;
  }

  private identify(dataId: object): number {
    const known = this.idOf.get(dataId);
    if (known !== undefined) return known;
    this.idOf.set(dataId, ++this.ids);
    return this.ids;
  }

  private addConstant(given: tf.Tensor): Name {
    const type = { dtype: dtypeOf(given.dtype, this.place()), shape: given.shape };
    const weight = this.weightNames.get(given.dataId);
    const known = weight === undefined ? undefined : this.read.get(given.dataId);
    const data =
      known?.shape.join() === given.shape.join() && known.dtype === type.dtype
        ? known
        : tensor(given.shape, given.dataSync() as ArrayLike<number>, type.dtype);
    if (weight !== undefined) {
      this.read.set(given.dataId, data);
      return this.addParam(weight, type, data);
    }
    return this.addValues(type, data, (given as Partial<tf.Variable>).name);
  }

  /** A constant that is no weight of the model, in its shortest form. */
  private addValues(type: TensorType, value: TensorData, variable?: string): Name {
    const { data } = value;
    const first = data[0] ?? 0;
    if (data.length > 0 && data.every((element) => element === first)) {
      return this.builder.splat(first, type, 'c');
    }
    if (variable === undefined && repeatsFirstRow(value)) return this.addSpread(type, value);
    if (data.length <= inlineElements && data.every(Number.isFinite)) {
      return this.builder.add('constant', [], { attrs: { value: Array.from(data) }, type, name: 'c' });
    }
    return this.addParam(variable ?? this.nameOfPlace(), type, value);
  }

  /** Equal rows are one row spread: a constant that was tiled along the batch then grows with it. */
  private addSpread(type: TensorType, { data, dtype, shape }: TensorData): Name {
    const rest = shape.slice(1);
    const row = tensor(rest, data.subarray(0, sizeOf(rest)), dtype);
    const source = this.addValues({ dtype, shape: rest }, row);
    const axes = rest.map((_, axis) => axis + 1);
    return this.k.broadcast(source, axes, type);
  }

  /** Stores `data` under a key made unique, with a `param` of the same name. */
  private addParam(wanted: string, type: TensorType, data: TensorData): Name {
    let key = wanted;
    for (let count = 1; this.weights.has(key); count++) key = `${wanted}_${count}`;
    this.weights.set(key, data);
    return this.builder.add('param', [], { attrs: { key }, type, name: userName(key), loc: {} });
  }

  /** A captured tensor that is no variable is named after the place that first uses it. */
  private nameOfPlace(): string {
    const { layer, site } = this.place();
    return layer === undefined ? (site ?? 'constant') : `${layer}/constant`;
  }

  finish(outputs: Graph['outputs']): { graph: Graph; weights: Weights } {
    return { graph: this.builder.finish(outputs), weights: this.weights };
  }
}

/** @throws RelcError RELC2001 for strings and complex numbers */
export function dtypeOf(dtype: string, loc: Loc): Dtype {
  const known = dtypesOf[dtype];
  if (known !== undefined) return known;
  const place = printLoc(loc);
  throw new RelcError(
    'RELC2001',
    `a tensor of dtype ${dtype} was traced${place === '' ? '' : ` (${place})`}; expected float32, int32 or bool`,
  );
}

/** Whether there are several rows along axis 0, all equal. */
function repeatsFirstRow({ data, shape }: TensorData): boolean {
  const size = sizeOf(shape.slice(1));
  return size < data.length && data.every((value, i) => value === data[i % size]);
}
