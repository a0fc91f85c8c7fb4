// relc compile: an explainer as files that run without the compiler.
import { join } from 'node:path';
import { compile } from '../../api/compile.js';
import { emit, type Target, targets } from '../../api/emit.js';
import type { Command } from '../arguments.js';
import { usageError } from '../arguments.js';
import { explanationOptions, explanationOptionsOf } from '../explanation-options.js';
import { write } from '../files.js';
import { parseScale } from '../input.js';
import { openLabels } from '../labels.js';
import { openModel, startTfjs } from '../model.js';
import { Stopwatch, styled } from '../terminal.js';

const kilobytes = (content: string | Uint8Array) => `${(Buffer.byteLength(content) / 1024).toFixed(1)} kB`;

export const compileCommand: Command = {
  name: 'compile',
  positionals: ['MODEL'],
  summary: 'write an explainer that runs without relc',
  description: `Target typescript: explainer.ts, a typed module of tfjs calls with one line a node, and runtime.ts, both
also as JavaScript; weights.safetensors; and relc.json, which says size, scale, labels, rules and hashes.`,
  options: {
    target: {
      type: 'string',
      short: 't',
      value: 'NAME',
      help: `what to write: ${targets.join(', ')} (default typescript)`,
    },
    out: { type: 'string', short: 'o', value: 'DIR', help: 'the directory to write to (default explainer)' },
    ...explanationOptions,
    labels: { type: 'string', value: 'FILE', help: 'names of the classes, for the manifest' },
    scale: { type: 'string', value: 'A,B', help: 'how pixels enter, p·A + B of 0..255, for the manifest' },
  },
  examples: ['relc compile model/model.json --target typescript --rules epsilon-plus-flat -o explainer'],
  async run(given, terminal) {
    const target = given.text('target') ?? 'typescript';
    if (!targets.includes(target as Target)) {
      throw usageError(`--target ${target} is unknown; targets: ${targets.join(', ')}`, compileCommand);
    }
    const scale = parseScale(given.text('scale'));
    const watch = new Stopwatch();
    await watch.time('start', startTfjs);
    const { model, options, manifest } = await openModel(given.positional(0), given.text('shape'));
    const labels = await openLabels(given.text('labels'), manifest);
    const asked = await explanationOptionsOf(given, manifest);
    const explainer = await watch.time('compile', () => compile(model, { ...options, ...asked }));
    for (const note of explainer.notes) terminal.err(`note: ${note}`);
    const told = {
      ...manifest,
      ...(labels.length > 0 ? { labels } : {}),
      ...(scale === undefined ? {} : { scale }),
    };
    const files = await watch.time('emit', () => emit(explainer, target as Target, { manifest: told }));
    const directory = given.text('out') ?? 'explainer';
    for (const [name, content] of Object.entries(files)) {
      await write(join(directory, name), content);
      terminal.out(`wrote ${styled(terminal, 'cyan', join(directory, name))} (${kilobytes(content)})`);
    }
    terminal.out(styled(terminal, 'dim', watch.print()));
    explainer.dispose();
  },
};
