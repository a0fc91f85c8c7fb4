// relc compile: an explainer as files that run without the compiler.
import { join } from 'node:path';
import { compile } from '../../api/compile.js';
import { type EmittedFiles, emit, type Target, targets } from '../../api/emit.js';
import { wasmText } from '../../codegen/wasm/text.js';
import { stated } from '../../ir/stated.js';
import type { Arguments, Command } from '../arguments.js';
import { usageError } from '../arguments.js';
import { explanationOptions, explanationOptionsOf } from '../explanation-options.js';
import { write } from '../files.js';
import { parseScale } from '../input.js';
import { openLabels } from '../labels.js';
import { openModel, startTfjs } from '../model.js';
import { Stopwatch, styled } from '../terminal.js';

const kilobytes = (content: string | Uint8Array) => `${(Buffer.byteLength(content) / 1024).toFixed(1)} kB`;

/** What can be written besides the explainer. */
const extras = ['wat'];

/** What is to be written. @throws RelcError RELC5001 for names that there are not, and options that do not go together */
function askedFor(given: Arguments): {
  target: Target;
  extra: string | undefined;
  batch: number | undefined;
  fusedMultiplyAdd: boolean;
} {
  const [target = 'wasm', extra] = [given.text('target'), given.text('emit')];
  if (!targets.includes(target as Target)) {
    throw usageError(`--target ${target} is unknown; targets: ${targets.join(', ')}`, compileCommand);
  }
  if (extra !== undefined && !extras.includes(extra)) {
    throw usageError(`--emit ${extra} is unknown; it writes: ${extras.join(', ')}`, compileCommand);
  }
  const batch = given.positive('batch');
  if (batch !== undefined && !Number.isInteger(batch)) {
    throw usageError(`--batch ${batch} is not a number of samples`, compileCommand);
  }
  const fusedMultiplyAdd = given.flag('fused-multiply-add');
  const ofWasm = {
    emit: extra !== undefined,
    batch: batch !== undefined,
    'fused-multiply-add': fusedMultiplyAdd,
  };
  const [option] = Object.entries(ofWasm).find(([, isGiven]) => isGiven) ?? [];
  if (target !== 'wasm' && option !== undefined) {
    throw usageError(`--${option} is for the target wasm, not for ${target}`, compileCommand);
  }
  return { target: target as Target, extra, batch, fusedMultiplyAdd };
}

/** The text of the module beside the module. @throws RelcError RELC5005 where wabt is not installed */
async function withText(files: EmittedFiles): Promise<EmittedFiles> {
  return { ...files, 'explainer.wat': await wasmText(files['explainer.wasm'] as Uint8Array) };
}

export const compileCommand: Command = {
  name: 'compile',
  positionals: ['MODEL'],
  summary: 'write an explainer that runs without relc',
  description: `Target wasm: explainer.wasm with its loader explainer.js, which need nothing else, in Node and in browsers, and
layout.json, which says where in memory what lies. Target typescript: explainer.ts, a typed module of tfjs calls with one
line a node, and runtime.ts, both also as JavaScript. With either weights.safetensors, and relc.json, which says size,
scale, labels, rules and hashes.`,
  options: {
    target: {
      type: 'string',
      short: 't',
      value: 'NAME',
      help: `what to write: ${targets.join(', ')} (default wasm)`,
    },
    emit: {
      type: 'string',
      value: 'wat',
      help: 'write the module also as text, explainer.wat: needs the package wabt',
    },
    batch: { type: 'string', value: 'N', help: 'samples that the module takes at once (default 1)' },
    'fused-multiply-add': {
      type: 'boolean',
      help: 'add products with one rounding where the machine can (relaxed SIMD):\nresults then depend on the machine',
    },
    out: { type: 'string', short: 'o', value: 'DIR', help: 'the directory to write to (default explainer)' },
    ...explanationOptions,
    labels: { type: 'string', value: 'FILE', help: 'names of the classes, for the manifest' },
    scale: { type: 'string', value: 'A,B', help: 'how pixels enter, p·A + B of 0..255, for the manifest' },
  },
  examples: [
    'relc compile model/model.json --rules epsilon-plus-flat -o explainer',
    'relc compile model/model.json --target wasm --emit wat -o explainer',
    'relc compile model/model.json --target typescript -o explainer',
  ],
  async run(given, terminal) {
    const { target, extra, batch, fusedMultiplyAdd } = askedFor(given);
    const scale = parseScale(given.text('scale'));
    const watch = new Stopwatch();
    await watch.time('start', startTfjs);
    const { model, options, manifest } = await openModel(given.positional(0), given.text('shape'));
    const labels = await openLabels(given.text('labels'), manifest);
    const asked = await explanationOptionsOf(given, manifest);
    const explainer = await watch.time('compile', () => compile(model, { ...options, ...asked }));
    for (const note of explainer.notes) terminal.err(`note: ${note}`);
    // The tokenizer lies beside the model, and not beside the explainer
    const { tokenizer: _, ...kept } = manifest;
    const told = {
      ...kept,
      ...(labels.length > 0 ? { labels } : {}),
      ...(scale === undefined ? {} : { scale }),
    };
    const emitted = await watch.time('emit', () =>
      emit(explainer, target, { manifest: told, fusedMultiplyAdd, ...stated({ batch }) }),
    );
    const files = extra === undefined ? emitted : await watch.time('text', () => withText(emitted));
    const directory = given.text('out') ?? 'explainer';
    for (const [name, content] of Object.entries(files)) {
      await write(join(directory, name), content);
      terminal.out(`wrote ${styled(terminal, 'cyan', join(directory, name))} (${kilobytes(content)})`);
    }
    terminal.out(styled(terminal, 'dim', watch.print()));
    explainer.dispose();
  },
};
