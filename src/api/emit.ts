// Emitting: an explainer as files that run without the compiler.
import { createHash } from 'node:crypto';
import { lowerForKernels } from '../codegen/kernels/lower.js';
import { type Manifest, printManifest } from '../codegen/manifest.js';
import { emitTypeScript, type Parameter } from '../codegen/typescript/emit.js';
import { tfjsPasses } from '../codegen/typescript/lower.js';
import { planFor } from '../codegen/typescript/plan.js';
import { emitWasm } from '../codegen/wasm/emit.js';
import { RelcError } from '../ir/error.js';
import { type Node, nodesWithOp } from '../ir/graph.js';
import { runPasses } from '../ir/passes/pass.js';
import { encodeSafetensors } from '../ir/safetensors.js';
import { stated } from '../ir/stated.js';
import { againstInput, targetInput, tensorInput } from '../rules/seed.js';
import type { Explainer } from './explainer.js';
import { dialect } from './pipeline.js';
import { toolVersion } from './version.js';

/** What an explainer can be emitted as. */
export const targets = ['wasm', 'typescript'] as const;
export type Target = (typeof targets)[number];

export interface EmitOptions {
  /** Passed on to whoever runs the explainer: size, scale and labels of the model. */
  readonly manifest?: Manifest;
  /**
   * Of the target `wasm`: samples that a run takes at once, 1 if left out. Batches hold a multiple of it, and exactly as
   * many where the model mixes the samples of a batch.
   */
  readonly batch?: number;
  /**
   * Of the target `wasm`: adds products with the relaxed `madd` instruction. The bits of results then depend on the
   * machine, and the engine must have relaxed SIMD.
   */
  readonly fusedMultiplyAdd?: boolean;
}

/** Files of an explainer, contents by name. */
export type EmittedFiles = Record<string, string | Uint8Array>;

/** The seed's inputs, as arguments of the emitted function. */
export const seedParameters: readonly Parameter[] = [
  {
    input: targetInput,
    name: 'target',
    doc: '`target` holds a class for each sample; −1, or no target, explains the top class.',
    otherwise: -1,
  },
  {
    input: againstInput,
    name: 'against',
    doc: '`against` holds the class to compare with, for each sample; −1, or none, is the strongest other class.',
    otherwise: -1,
  },
  {
    input: tensorInput,
    name: 'relevance',
    doc: '`relevance` is what relevance starts as: a tensor of the shape of the scores before a final softmax.',
  },
];

/** Height and width of an input that pictures fit. */
function sizeOfPicture(input: Node | undefined): Pick<Manifest, 'size'> {
  const [, height, width, channels, ...rest] = (input?.type.shape ?? []) as number[];
  return rest.length === 0 && (channels === 1 || channels === 3) ? { size: [height!, width!] } : {};
}

const hashOf = (weights: Uint8Array) => createHash('sha256').update(weights).digest('hex');

/** What an attention method was told, and what its tokens are, unless the model's manifest says that. */
function tokensOf({ request, tokens }: Explainer, told: Manifest | undefined): Partial<Manifest> {
  if (request.preset.attention === undefined) return {};
  return stated({ attention: request.attention, tokens: told?.tokens ?? tokens });
}

function manifestOf(explainer: Explainer, model: string, told: Manifest | undefined): Manifest {
  const { attention: _, ...others } = told ?? {};
  const { range, position } = explainer.request;
  return {
    ...sizeOfPicture(explainer.inputs[0]),
    ...others,
    rules: explainer.rules,
    seed: explainer.seed,
    ...stated({ range, position }),
    ...tokensOf(explainer, told),
    inputs: Object.fromEntries(explainer.inputs.map((node) => [node.name, node.type.shape])),
    model,
    tool: toolVersion(),
  };
}

/** What the head of an emitted module says. */
function headOf(explainer: Explainer, graph: string, model: string) {
  return {
    title: `Relevance of @${graph} by ${explainer.rules}, seed ${explainer.seed}: forward pass and relevance in one function.`,
    details: [`Made by relc ${toolVersion()}; weights ${model.slice(0, 16)}.`, ...explainer.notes],
  };
}

/** A comment of one line each. */
const commented = (lines: readonly string[]) =>
  lines.map((line) => `// ${line.replace(/\s+/g, ' ')}\n`).join('');

async function asTypeScript(explainer: Explainer, { manifest }: EmitOptions): Promise<EmittedFiles> {
  const { graph, weights } = runPasses(explainer.compiled.program, tfjsPasses, dialect);
  const bytes = encodeSafetensors(weights);
  const hash = hashOf(bytes);
  const files = await emitTypeScript(planFor(graph, dialect), {
    ...headOf(explainer, graph.name, hash),
    parameters: seedParameters,
  });
  return {
    ...files,
    'weights.safetensors': bytes,
    'relc.json': printManifest(manifestOf(explainer, hash, manifest)),
  };
}

async function asWasm(
  explainer: Explainer,
  { manifest, batch = 1, fusedMultiplyAdd = false }: EmitOptions,
): Promise<EmittedFiles> {
  if (!(Number.isInteger(batch) && batch >= 1)) {
    throw new RelcError('RELC4002', `batch is ${batch}, expected an integer from 1 on`);
  }
  const program = runPasses(explainer.compiled.program, [lowerForKernels], dialect);
  const inputs = new Set(nodesWithOp(program.graph, 'input').map(({ name }) => name));
  const { files, weights } = await emitWasm(program, dialect, {
    batch,
    fusedMultiplyAdd,
    seed: explainer.seed,
    seedInputs: Object.fromEntries(
      seedParameters.filter(({ input }) => inputs.has(input)).map(({ input, name }) => [name, input]),
    ),
    classes: explainer.classes,
    ...stated({ range: explainer.boundsBy }),
  });
  const hash = hashOf(weights);
  const { title, details } = headOf(explainer, program.graph.name, hash);
  return {
    ...files,
    'explainer.js': `${commented([title, ...details])}${files['explainer.js']}`,
    'weights.safetensors': weights,
    'relc.json': printManifest(manifestOf(explainer, hash, manifest)),
  };
}

const emitters: Readonly<
  Record<Target, (explainer: Explainer, options: EmitOptions) => Promise<EmittedFiles>>
> = { wasm: asWasm, typescript: asTypeScript };

/**
 * An explainer as files. For `wasm` a module that needs nothing but WebAssembly, with its loader for Node and browsers;
 * for `typescript` a typed module of tfjs calls with its runtime, both also as JavaScript. With either the weights as
 * safetensors, and a manifest.
 * @returns contents by file name
 * @throws RelcError RELC4001 (an op has no spelling or kernel), RELC4002 (a batch that is none), RELC4005 (the module does
 *   not type-check), RELC4007 (no such target), RELC4009 (more memory than a module can have)
 */
export async function emit(
  explainer: Explainer,
  target: Target,
  options: EmitOptions = {},
): Promise<EmittedFiles> {
  if (Object.hasOwn(emitters, target)) return emitters[target](explainer, options);
  throw new RelcError('RELC4007', `there is no target '${String(target)}'`, `targets: ${targets.join(', ')}`);
}
