// Dumps of kernels and plans: two nets kept in full (BLESS=1 rewrites them), and what holds for every dump.
import { readFileSync, writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compile } from '../../../src/api/compile.js';
import { kernelStageNames, listKernels } from '../../../src/api/kernels.js';
import { fuse } from '../../../src/codegen/kernels/fuse.js';
import {
  type Access,
  type Kernel,
  type KernelProgram,
  storedShape,
  writes,
} from '../../../src/codegen/kernels/kernel.js';
import { lowerForKernels } from '../../../src/codegen/kernels/lower.js';
import { type KernelPlan, planKernels } from '../../../src/codegen/kernels/plan.js';
import { type NamedLoop, namedLoops, printElement } from '../../../src/codegen/kernels/print/access.js';
import { kindOf, printKernels } from '../../../src/codegen/kernels/print/kernels.js';
import { labelled, printBytes, printCount } from '../../../src/codegen/kernels/print/layout.js';
import { printPlan } from '../../../src/codegen/kernels/print/plan.js';
import { ScalarPrinter, usesOfScalars } from '../../../src/codegen/kernels/print/scalars.js';
import { parse } from '../../../src/ir/parse.js';
import { type Program, runPasses } from '../../../src/ir/passes/pass.js';
import { operand, scalar } from '../../../src/ir/scalar.js';
import { rowMajorStrides } from '../../../src/ir/type.js';
import { valuePresets } from '../../presets.js';
import { type Net, seededWeights, smallConvNet } from '../nets.js';
import { dialect, graphOf, useBackend } from '../support.js';

beforeAll(() => useBackend('cpu'));

/** Two dense layers and a softmax. */
function denseNet(): Net {
  const params = { w1: seededWeights(1, [8, 12]), b1: seededWeights(2, [12]), w2: seededWeights(3, [12, 4]) };
  return {
    model: ((x: tf.Tensor2D, { w1, b1, w2 }: Record<string, tf.Tensor2D>) =>
      tf.softmax(tf.matMul(tf.relu(tf.add(tf.matMul(x, w1!), b1!)), w2!))) as Net['model'],
    input: [null, 8],
    params,
    dispose: () => tf.dispose(params),
  };
}

async function explainerOf(net: Net, rules: string) {
  const { model, input, params, dispose } = net;
  const explainer = await compile(model, { input, params, rules, range: [-1, 1] });
  dispose();
  return explainer;
}

function kernelsOf(program: Program, batch = 1): KernelProgram {
  return fuse(runPasses(program, [lowerForKernels], dialect).graph, dialect, batch);
}

describe.each([
  ['conv', smallConvNet, 'epsilon-plus', 1],
  ['dense', denseNet, 'epsilon-alpha2-beta1', 6],
] as const)('the %s net', (name, net, rules, batch) => {
  it.each(kernelStageNames)('is dumped after %s as its file says', async (stage) => {
    const explainer = await explainerOf(net(), rules);
    const text = explainer.kernels(batch).print(stage);
    explainer.dispose();
    const file = new URL(`snapshots/${name}-${stage}.txt`, import.meta.url);
    if (process.env.BLESS === '1') writeFileSync(file, text);
    else expect(text).toBe(readFileSync(file, 'utf8'));
  });
});

/** The element of a buffer that an index in a dump is for, at given turns of the loops. */
function elementAt(text: string, shape: readonly number[], turns: ReadonlyMap<string, number>): number {
  if (shape.length === 0) return 0;
  const [, index, joined] = /\[(.*?)\](?: as \[(.*)\])?$/.exec(text) ?? [];
  const extents = joined === undefined ? shape : joined.split(',').map(Number);
  const strides = rowMajorStrides(extents);
  const term = (part: string) =>
    part.split('·').reduce((value, factor) => value * (turns.get(factor) ?? Number(factor)), 1);
  const axes = (index ?? '').split(', ').map((axis) => {
    const [added, ...taken] = axis.split(' − ');
    const sum = added!.split(' + ').reduce((total, part) => total + term(part), 0);
    return taken.reduce((total, part) => total - term(part), sum);
  });
  for (const [axis, value] of axes.entries()) {
    expect(value, text).toBeGreaterThanOrEqual(0);
    expect(value, text).toBeLessThan(extents[axis]!);
  }
  return axes.reduce((total, value, axis) => total + value * strides[axis]!, 0);
}

/** Every access of a kernel with the loops that it runs over. */
function accessesOf(kernel: Kernel): { access: Access; loops: NamedLoop[] }[] {
  if (kernel.kind === 'loops') {
    const outer = namedLoops('i', kernel.loops);
    const loops = [...outer, ...namedLoops('k', kernel.reduced)];
    return [
      ...kernel.operands.flatMap((access) => (access === 'result' ? [] : [{ access, loops }])),
      ...kernel.stores.map(({ access }) => ({ access, loops: outer })),
    ];
  }
  if (kernel.kind !== 'contraction') return [];
  const [batch, m] = [namedLoops('b', kernel.batch), namedLoops('m', kernel.m)];
  const [n, k] = [namedLoops('n', [kernel.n]), namedLoops('k', kernel.k)];
  return [
    { access: kernel.a, loops: [...batch, ...m, ...k] },
    ...kernel.b.operands.map((access) => ({ access, loops: [...batch, ...k, ...n] })),
    ...kernel.stores.map(({ access }) => ({ access, loops: [...batch, ...m, ...n] })),
  ];
}

function expectSameElement(access: Access, loops: readonly NamedLoop[], shape: readonly number[]): void {
  const text = printElement(access, loops, shape);
  const running = loops
    .map((loop, number) => ({ ...loop, stride: access.strides[number] ?? 0 }))
    .filter(({ extent }) => extent > 1);
  for (const place of [0, 0.4, 0.7, 1]) {
    const turns = new Map(
      running.map(({ name, extent }, number) => [
        name,
        Math.round((extent - 1) * ((place + number * 0.3) % 1.01)),
      ]),
    );
    const element = running.reduce((sum, { name, stride }) => sum + turns.get(name)! * stride, access.offset);
    expect(elementAt(text, shape, turns), text).toBe(element);
  }
}

/** The bytes that live while each step of a run is computed, counted anew. */
function liveBytesOf({ run, load, placements }: KernelPlan): number[] {
  const loaded = new Set(load.flatMap(writes));
  const buffers = [...placements].filter(([name, { region }]) => region === 'arena' && !loaded.has(name));
  return run.map((_, step) =>
    buffers.reduce(
      (total, [, { bytes, from, until }]) => total + (from <= step && step <= until ? bytes : 0),
      0,
    ),
  );
}

describe.each(valuePresets)('dumps of a conv net under %s', (rules) => {
  let plan: KernelPlan;
  beforeAll(async () => {
    const explainer = await explainerOf(smallConvNet(), rules);
    plan = planKernels(kernelsOf(explainer.compiled.program, 2));
    explainer.dispose();
  });

  it('have a block for each kernel, and no line of a body twice', () => {
    const { program } = plan;
    const blocks = printKernels(program).split('\n\n').slice(1);
    const kernels = [...program.load, ...program.run];
    expect(blocks.length).toBe(kernels.length);
    for (const [index, block] of blocks.entries()) {
      const { name } = kernels[index]!;
      expect(block.startsWith(`kernel %${name} = ${kindOf(kernels[index]!)}`), block).toBe(true);
      for (const written of writes(kernels[index]!)) expect(block).toContain(`%${written}`);
      const made = [...block.matchAll(/^ {2}(?:prologue|sum|max|body|epilogue)? +(%\S+) =/gm)].map(
        (line) => line[1],
      );
      expect(new Set(made).size, block).toBe(made.length);
    }
  });

  it('name the very elements that accesses touch', () => {
    const { program } = plan;
    const all = [...program.load, ...program.run].flatMap(accessesOf);
    expect(all.length).toBeGreaterThan(20);
    for (const { access, loops } of all) {
      expectSameElement(access, loops, storedShape(program.buffers.get(access.buffer)!));
    }
  });

  it('show every buffer, with the bytes that the plan gives it', () => {
    const text = printPlan(plan);
    for (const [name, { bytes }] of plan.placements) {
      const { dtype, shape } = plan.program.buffers.get(name)!;
      const row = text.split('\n').find((line) => line.endsWith(` %${name} : ${dtype}[${shape}]`));
      expect(row, name).toContain(printBytes(bytes));
    }
    const arena = [...plan.placements.values()].filter(({ region }) => region === 'arena');
    const apart = arena.reduce((total, { bytes }) => total + bytes, 0);
    expect(text).toMatch(new RegExp(`^ {2}apart +${printBytes(apart)} `, 'm'));
  });

  it('mark the step at which most bytes live, once', () => {
    const live = liveBytesOf(plan);
    expect(Math.max(...live)).toBe(plan.liveBytes);
    const marked = printPlan(plan).match(/^.*◀ peak.*$/gm)!;
    expect(marked.length).toBe(1);
    const [step, , bytes] = marked[0]!.trim().split(/ {2,}/);
    expect(Number(step)).toBe(live.indexOf(plan.liveBytes));
    expect(bytes).toBe(printBytes(plan.liveBytes));
  });
});

describe('elements', () => {
  const loops = [
    { name: 'i', extent: 3 },
    { name: 'k', extent: 4 },
  ];
  const printed = (offset: number, strides: readonly number[], shape: readonly number[]) =>
    printElement({ buffer: 'x', offset, strides }, loops, shape);

  it.each([
    ['a transpose', 0, [1, 3], [4, 3], '%x[k, i]'],
    ['a window', 0, [2, 1], [8], '%x[2·i + k]'],
    ['a reverse', 3, [4, -1], [3, 4], '%x[i, 3 − k]'],
    ['a part', 7, [6, 1], [4, 6], '%x[i + 1, k + 1]'],
    ['a repetition', 2, [0, 0], [5], '%x[2]'],
    ['axes in one', 0, [4, 1], [3, 2, 2], '%x[i, k] as [3,4]'],
    ['a diagonal', 0, [4, 5], [6, 4], '%x[4·i + 5·k] as [24]'],
    ['a scalar', 0, [0, 0], [], '%x'],
  ] as const)('of %s', (_what, offset, strides, shape, text) => {
    expect(printed(offset, strides, shape)).toBe(text);
  });
});

it('gives what is read twice a line of its own', () => {
  const { graph } = graphOf({ x: 'in f32[N,3]' }, '%z = elu(%x) : f32[N,3]');
  const text = printKernels(kernelsOf({ graph, weights: new Map() }));
  expect(text).toContain('%z = select(greater(%x, 0), %x, expm1(%x))');
  const [x, w] = [operand(0, 'f32'), scalar.exp(operand(1, 'f32'))];
  const root = scalar.mul(w, scalar.add(x, w));
  const printer = new ScalarPrinter((index) => `%x${index}`, usesOfScalars([root]), 't');
  printer.name('%z', root);
  expect(printer.lines.map(({ name, expression }) => `${name} = ${expression}`)).toEqual([
    't0 = exp(%x1)',
    '%z = mul(t0, add(%x0, t0))',
  ]);
});

it('gives what a sum reads twice a line in its prologue', () => {
  const { graph } = graphOf(
    { x: 'in f32[N,3]' },
    '%a = exp(%x) : f32[N,3]',
    '%b = elu(%a) : f32[N,3]',
    '%z = sum(%b) {axes=[1]} : f32[N]',
  );
  const text = printKernels(kernelsOf({ graph, weights: new Map() }));
  expect(text).toContain('  prologue  p0 = exp(%x[0, k])\n');
  expect(text).toContain('  sum       %z = Σ{k} select(greater(p0, 0), p0, expm1(p0))\n');
});

it('prints amounts in units that a person reads', () => {
  expect([0, 64, 999, 1000, 38_512_345, 2 ** 33].map(printBytes)).toEqual([
    ...['0 B', '64 B', '999 B', '1.0 kB', '38.5 MB', '8.6 GB'],
  ]);
  expect([12, 999_960, 464_800_000].map(printCount)).toEqual(['12', '1.0 M', '464.8 M']);
});

it('breaks long lines between operands, never inside of an index', () => {
  const element = `%${'x'.repeat(30)}[i0, i1]`;
  const lines = labelled('  body  ', `%y = add(${element}, mul(${element}, max(${element}, 0)))`, 2);
  expect(lines).toEqual([`  body  %y = add(${element}, mul(${element},`, `          max(${element}, 0)))`]);
});

it('refuses an op without a kernel, and names the node', () => {
  const { graph } = graphOf({ x: 'in f32[N,3]' }, '%z = rule.pass(%x, %x, %x) {of="relu", to=0} : f32[N,3]');
  expect(() => listKernels({ graph, weights: new Map() }, 1)).toThrow(/RELC4001: %z = rule\.pass/);
});

describe('weights in panels', () => {
  const program = fuse(
    parse(
      `graph @panels {
  %x = input() : f32[N,6,6,32]
  %w = param() {key="w"} : f32[3,3,32,64]
  %z = conv(%x, %w) {padding=[[1,1],[1,1]], strides=[1,1]} : f32[N,6,6,64]
  %t = conv_transpose(%z, %w) {padding=[[1,1],[1,1]], strides=[1,1]} : f32[N,6,6,32]
  return t=%t
}`,
      dialect,
    ),
    dialect,
    1,
  );
  const text = printKernels(program);

  it('say so, and are indexed as they lie', () => {
    expect(text).toContain('%w : f32[3,3,32,64] in panels [4,3,3,32,16]');
    expect(text).toContain('%x.pad0[0, m0 + k0, m1 + k1, k2] · %w[b, k0, k1, k2, n]');
    expect(text).toContain('%z.pad1[0, m0 + k0, m1 + k1, 16·k2 + k3] · %w[k2, 2 − k0, 2 − k1, n, k3]');
  });

  it('name the very elements that accesses touch', () => {
    for (const { access, loops } of program.run.flatMap(accessesOf)) {
      expectSameElement(access, loops, storedShape(program.buffers.get(access.buffer)!));
    }
  });
});
