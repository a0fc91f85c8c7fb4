// Contestants: what is timed side by side. A target of relc that is to be measured is added to `targets`.
import * as tf from '@tensorflow/tfjs';
import { wasmEngine } from '../src/api/engines/wasm.js';
import { canonical } from '../src/api/pipeline.js';
import { compile, type Explainer, type Program } from '../src/index.js';
import type { TensorData } from '../src/ir/tensor.js';
import { type Costs, costsOf } from '../src/rules/costs.js';
import type { Prepared } from './eager/careful-vgg.js';
import type { DifferentiableSubject, Subject } from './networks/network.js';

export interface Contestant {
  readonly name: string;
  /** By how much of max|R| its relevance may differ from that of relc on tfjs; left out where nothing is asked. */
  readonly tolerance?: number;
  /** The model alone, compiled for the same target. */
  forward(): Promise<void>;
  /** R at the input. */
  explain(): Promise<Float32Array>;
  dispose(): void;
}

/** A contestant that was compiled by relc. */
export interface Compiled extends Contestant {
  readonly costs: Costs;
  readonly explainer: Explainer;
}

/** What there is to compile: a network on the current backend, and its traced program. */
export interface Task {
  readonly subject: Subject;
  readonly program: Program;
  readonly rules: string;
  /** The threads of tfjs; a target that has threads takes as many. */
  readonly threads: number;
}

export interface Target {
  readonly name: string;
  /** Whether weights lie outside of tfjs's memory, of which there are 4 GB for all that runs there. */
  readonly ownMemory: boolean;
  compile(task: Task): Promise<Compiled>;
}

/** The range of all pictures that are explained. */
const range = [-1, 1] as const;

function explainerCosts({ compiled, stages }: Explainer): Costs {
  const output = stages.get('relevance')!.graph.outputs.scores!;
  return costsOf(stages.get('specialize')!.graph, compiled.program.graph, output);
}

/** A tensor's numbers; it is disposed of. */
async function taken(tensor: tf.Tensor): Promise<Float32Array> {
  const values = await tensor.data<'float32'>();
  tensor.dispose();
  return values;
}

const predict = async (subject: Subject): Promise<void> => {
  await taken(subject.predict());
};

/** What an engine is given for a subject's inputs. */
async function feedOf({ input }: Subject, { inputs }: Explainer): Promise<Record<string, TensorData>> {
  const given = input instanceof tf.Tensor ? { [inputs[0]!.name]: input } : input;
  const entries = Object.entries(given).map(async ([name, values]): Promise<[string, TensorData]> => {
    const { dtype } = inputs.find((node) => node.name === name)!.type;
    return [name, { dtype, shape: values.shape, data: await values.data<'float32' | 'int32'>() }];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Modules of relc's own. The model alone is a module too. */
const wasm: Target = {
  name: 'relc',
  ownMemory: true,
  async compile({ subject, program, rules, threads }) {
    const explainer = await compile(program, { rules, range, threads, target: 'wasm' });
    const alone = await wasmEngine(canonical(program).program, { threads });
    const feed = await feedOf(subject, explainer);
    const numbers = Object.fromEntries(
      Object.entries(feed).map(([name, { data }]) => [name, Float32Array.from(data)]),
    );
    return {
      name: wasm.name,
      costs: explainerCosts(explainer),
      explainer,
      forward: async () => void (await alone.run(feed, [{}])),
      explain: async () => (await explainer.explain(numbers)).relevance.data,
      dispose: () => {
        explainer.dispose();
        alone.dispose();
      },
    };
  },
};

/** The others' relevance is compared with that of this one. */
export const tfjs: Target = {
  name: 'relc on tfjs',
  ownMemory: false,
  async compile({ subject, program, rules }) {
    const explainer = await compile(program, { rules, range, target: 'tfjs' });
    return {
      name: tfjs.name,
      costs: explainerCosts(explainer),
      explainer,
      forward: () => predict(subject),
      explain: async () => (await explainer.explain(subject.input)).relevance.data,
      dispose: () => explainer.dispose(),
    };
  },
};

/** Targets of relc, the one to compare others with first. */
export const targets: readonly Target[] = [wasm, tfjs];

/** Relevance propagation written by hand, on the model as tfjs runs it. */
export function eager(name: string, subject: DifferentiableSubject, prepared: Prepared): Contestant {
  return {
    name,
    tolerance: 1e-4,
    forward: () => predict(subject),
    explain: () => taken(tf.tidy(() => prepared.relevance(subject.input))),
    dispose: () => prepared.dispose(),
  };
}

/** The derivative of the largest score, by tfjs. */
export function gradient(subject: DifferentiableSubject): Contestant {
  const derivative = tf.grad((x) => tf.max(subject.logits(x)));
  return {
    name: 'tf.grad',
    forward: () => predict(subject),
    explain: () => taken(tf.tidy(() => derivative(subject.input))),
    dispose: () => undefined,
  };
}
