// Emitting: an explainer as files that run without the compiler.
import { createHash } from 'node:crypto';
import { type Manifest, printManifest } from '../codegen/manifest.js';
import { emitTypeScript, type Parameter } from '../codegen/typescript/emit.js';
import { tfjsPasses } from '../codegen/typescript/lower.js';
import { planFor } from '../codegen/typescript/plan.js';
import type { Node } from '../ir/graph.js';
import { runPasses } from '../ir/passes/pass.js';
import { encodeSafetensors } from '../ir/safetensors.js';
import { stated } from '../ir/stated.js';
import { againstInput, targetInput, tensorInput } from '../rules/seed.js';
import type { Explainer } from './explainer.js';
import { dialect } from './pipeline.js';
import { toolVersion } from './version.js';

/** What an explainer can be emitted as. */
export const targets = ['typescript'] as const;
export type Target = (typeof targets)[number];

export interface EmitOptions {
  /** Passed on to whoever runs the explainer: size, scale and labels of the model. */
  readonly manifest?: Manifest;
}

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

/**
 * An explainer as files: for `typescript` a typed module of tfjs calls with its runtime, both also as JavaScript, the
 * weights as safetensors, and a manifest.
 * @returns contents by file name
 * @throws RelcError RELC4001 (an op has no spelling), RELC4005 (the module does not type-check)
 */
export async function emit(
  explainer: Explainer,
  _target: Target,
  options: EmitOptions = {},
): Promise<Record<string, string | Uint8Array>> {
  const { graph, weights } = runPasses(explainer.compiled.program, tfjsPasses, dialect);
  const bytes = encodeSafetensors(weights);
  const hash = createHash('sha256').update(bytes).digest('hex');
  const inputs = Object.fromEntries(explainer.inputs.map((node) => [node.name, node.type.shape]));
  const manifest: Manifest = {
    ...sizeOfPicture(explainer.inputs[0]),
    ...options.manifest,
    rules: explainer.rules,
    seed: explainer.seed,
    ...stated({ range: explainer.request.range }),
    inputs,
    model: hash,
    tool: toolVersion(),
  };
  const files = await emitTypeScript(planFor(graph, dialect), {
    title: `Relevance of @${graph.name} by ${explainer.rules}, seed ${explainer.seed}: forward pass and relevance in one function.`,
    details: [`Made by relc ${manifest.tool}; weights ${hash.slice(0, 16)}.`, ...explainer.notes],
    parameters: seedParameters,
  });
  return { ...files, 'weights.safetensors': bytes, 'relc.json': printManifest(manifest) };
}
