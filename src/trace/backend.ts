// The shape-only backend: registered with tfjs under every kernel's name, it records instead of computing.
import * as tf from '@tensorflow/tfjs';
import { OpProblem } from '../ir/dialect.js';
import { RelcError } from '../ir/error.js';
import { printLoc } from '../ir/graph.js';
import { inexpressible, translate } from './kernels/kernels.js';
import { openScopes, stackFrames } from './location.js';
import type { Recorder } from './recorder.js';

const backendName = 'relc-trace';
const tfDtypes = { f32: 'float32', i32: 'int32', bool: 'bool' } as const;

type Stored = { values: tf.BackendValues; count: number };

/** Holds literals that the model creates while it is traced; traced values have no data. */
class TraceBackend extends tf.KernelBackend {
  private readonly stored = new WeakMap<object, Stored>();
  private ids = 0;

  override numDataIds(): number {
    return this.ids;
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override memory() {
    return { unreliable: true };
  }

  override timerAvailable(): boolean {
    return false;
  }

  override write(values: tf.BackendValues, _shape: number[], dtype: tf.DataType): object {
    const random = openScopes().find((name) =>
      /^(rand|random\w*|truncatedNormal|multinomial|dropout)__op$/.test(name),
    );
    if (random !== undefined) throw randomOp(random.replace('__op', ''));
    if (dtype === 'string') throw new RelcError('RELC2001', 'a tensor of strings was made while tracing');
    const dataId = {};
    this.stored.set(dataId, { values, count: 1 });
    this.ids++;
    return dataId;
  }

  override move(
    dataId: object,
    values: tf.BackendValues,
    _s: number[],
    _d: tf.DataType,
    count: number,
  ): void {
    this.stored.set(dataId, { values, count });
  }

  override readSync(dataId: object): tf.BackendValues {
    const stored = this.stored.get(dataId);
    if (stored === undefined) throw valuesRead(dataId);
    return stored.values;
  }

  /** An asynchronous read of a traced value never ends: that it was asked for is told when the model returns. */
  override async read(dataId: object): Promise<tf.BackendValues> {
    const stored = this.stored.get(dataId);
    if (stored !== undefined) return stored.values;
    const problem = shapeFromData() ?? valuesRead(dataId);
    if (active === undefined) throw problem;
    active.problem ??= problem;
    return new Promise(() => undefined);
  }

  override refCount(dataId: object): number {
    return this.stored.get(dataId)?.count ?? 0;
  }

  override incRef(dataId: object): void {
    const stored = this.stored.get(dataId);
    if (stored !== undefined) stored.count++;
  }

  override disposeData(dataId: object, force = false): boolean {
    const stored = this.stored.get(dataId);
    if (stored !== undefined && --stored.count > 0 && !force) return false;
    this.stored.delete(dataId);
    return true;
  }

  override dispose(): void {}
}

interface ActiveTrace {
  readonly recorder: Recorder;
  /** The backend that constants are computed on. */
  readonly realBackend: string;
  /** What went wrong where it could not be thrown. */
  problem?: RelcError;
}

let active: ActiveTrace | undefined;

function activeTrace(): ActiveTrace {
  if (active === undefined) throw new Error('no model is being traced');
  return active;
}

/** ` (layer at file:line:col)` of the kernel that runs now, or nothing. */
function here(): string {
  const place = active === undefined ? '' : printLoc(active.recorder.place());
  return place === '' ? '' : ` (${place})`;
}

function randomOp(op: string): RelcError {
  return new RelcError(
    'RELC2003',
    `${op} was called while tracing${here()}: its values would become constants`,
    'call the model for inference: without dropout, noise or sampling',
  );
}

function valuesRead(dataId: object): RelcError {
  const { recorder } = active ?? {};
  if (recorder?.isTraced(dataId) !== true) {
    return new RelcError(
      'RELC2002',
      `a value that the model kept from an earlier trace was read${here()}`,
      'keep no values that depend on an input from one call of the model to the next',
    );
  }
  return new RelcError(
    'RELC2002',
    `the values of ${recorder.describe(dataId)} were read while tracing${here()}: they depend on an input`,
    'keep control flow and shapes independent of the values of inputs; use tf.where instead of if',
  );
}

/** Ops of tfjs that read values because the shape of their result depends on them. */
const readingOps = /\b((?:where|booleanMask|setdiff1d|nonMaxSuppression\w*)Async)_?\b/g;

/** The error where such an op reads, told by the stack: these ops open no scope. */
function shapeFromData(): RelcError | undefined {
  const op = [...stackFrames().join().matchAll(readingOps)].at(-1)?.[1];
  if (op === undefined) return undefined;
  return new RelcError(
    'RELC2006',
    `${op}${here()}: the shape of the result depends on the values of the input`,
    'explain the part of the model before this op',
  );
}

/** Runs `action` with another backend current. Backends that have been used start synchronously. */
function onBackend<Result>(name: string, action: () => Result): Result {
  const current = tf.getBackend();
  void tf.setBackend(name);
  try {
    return action();
  } finally {
    void tf.setBackend(current);
  }
}

function isTensor(input: unknown): input is tf.Tensor {
  return input instanceof tf.Tensor;
}

/** Runs a kernel on constants. A transpose that changes nothing shares its data, so that a weight keeps its name. */
function compute(
  kernelName: string,
  inputs: tf.NamedTensorMap,
  attrs: tf.NamedAttrMap,
): tf.Tensor | tf.Tensor[] {
  const still = kernelName === 'Transpose' && (attrs.perm as number[]).every((axis, index) => axis === index);
  return tf.engine().runKernel(still ? 'Identity' : kernelName, inputs, attrs);
}

const randomKernels = /^(Multinomial|Random|StatelessRandom|RandomGamma)/;

/** What every kernel does on the shape-only backend. */
function record(kernelName: string, inputs: tf.NamedTensorInfoMap, attrs: tf.NamedAttrMap): tf.TensorInfo[] {
  const { recorder, realBackend } = activeTrace();
  const given = Object.entries(inputs).filter((entry): entry is [string, tf.Tensor] => isTensor(entry[1]));
  if (randomKernels.test(kernelName)) throw randomOp(kernelName);
  if (given.every(([, input]) => !recorder.isTraced(input.dataId))) {
    return onBackend(realBackend, () => {
      const result = compute(kernelName, inputs as tf.NamedTensorMap, attrs);
      return Array.isArray(result) ? result : [result];
    });
  }
  const loc = recorder.place();
  recorder.builder.loc = loc;
  try {
    // No graph has values without elements; tfjs has them only to be joined to others.
    const used = given.filter(([, input]) => input.size > 0);
    const operands = Object.fromEntries(used.map(([key, input]) => [key, recorder.operand(input)]));
    return translate(kernelName, recorder, operands, attrs).map((name) => {
      const type = recorder.typeOf(name);
      const dataId = {};
      recorder.bind(dataId, name);
      return { dataId, shape: [...recorder.shapeOf(name)], dtype: tfDtypes[type.dtype] };
    });
  } catch (error) {
    if (!(error instanceof OpProblem)) throw error;
    throw new RelcError(error.code, `${kernelName}${here()}: ${error.message}`, error.hint);
  }
}

function registerKernels(realBackend: string): void {
  const names = new Set(
    [realBackend, 'cpu', 'wasm', 'webgl']
      .flatMap((name) => tf.getKernelsForBackend(name))
      .map((k) => k.kernelName),
  );
  for (const kernelName of inexpressible) names.add(kernelName);
  for (const kernelName of names) {
    if (tf.getKernel(kernelName, backendName) !== undefined) continue;
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) => {
        const infos = record(kernelName, inputs, attrs ?? {});
        return infos.length === 1 && !listKernels.has(kernelName) ? infos[0]! : infos;
      },
    });
  }
}

/** Kernels whose result is a list even when it has one member. */
const listKernels = new Set(['SplitV', 'Unpack', 'TopK', 'Unique']);

/** While a model is traced no variable may change: its old values would be lost. */
function forbidAssign(): () => void {
  const original = tf.Variable.prototype.assign;
  tf.Variable.prototype.assign = function assign(this: tf.Variable) {
    throw new RelcError(
      'RELC2004',
      `variable ${this.name} was assigned while tracing${here()}`,
      'call the model for inference: a traced function computes from its inputs alone',
    );
  };
  return () => {
    tf.Variable.prototype.assign = original;
  };
}

/**
 * Runs `action` with the shape-only backend current and `recorder` listening; restores everything afterwards.
 * Nothing asynchronous happens in between.
 */
export function tracing<Result>(recorder: Recorder, action: () => Result): Result {
  if (active !== undefined) throw new Error('a model is being traced already');
  tf.backend(); // starts one where none has been used yet
  const realBackend = tf.getBackend();
  if (tf.findBackendFactory(backendName) === null) tf.registerBackend(backendName, () => new TraceBackend());
  registerKernels(realBackend);
  const trace: ActiveTrace = { recorder, realBackend };
  active = trace;
  const allowAssign = forbidAssign();
  tf.engine().startScope('relc-trace__op');
  try {
    const result = onBackend(backendName, action);
    if (trace.problem !== undefined) throw trace.problem;
    return result;
  } catch (error) {
    throw trace.problem ?? error;
  } finally {
    tf.engine().endScope();
    allowAssign();
    active = undefined;
  }
}

/** A tensor of the shape-only backend that stands for an input. */
export function tracedTensor(recorder: Recorder, name: string): tf.Tensor {
  const dataId = {};
  recorder.bind(dataId, name);
  const dtype = tfDtypes[recorder.typeOf(name).dtype];
  return tf.engine().makeTensorFromDataId(dataId, [...recorder.shapeOf(name)], dtype);
}
