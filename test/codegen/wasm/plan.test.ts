// Plans: which kernels there are, where buffers live, and that nothing depends on what an earlier run left behind.
import { describe, expect, it } from 'vitest';
import type { KernelPlan, Placement } from '../../../src/codegen/kernels/plan.js';
import { planKernels } from '../../../src/codegen/kernels/plan.js';
import type { Inputs } from '../../../src/ir/evaluate.js';
import { type Graph, type Name, nodesWithOp } from '../../../src/ir/graph.js';
import { type Drawn, dataFor, graphOf } from '../support.js';
import { randomMovement } from './random-movement.js';
import { forPrograms, type RandomProgram } from './random-program.js';
import { expectSameBits, kernelsOf, Loaded } from './support.js';

const chain = (length: number): Drawn =>
  graphOf(
    { x: 'in f32[N,40]', w: 'w f32[40,40]' },
    ...Array.from({ length }, (_, index) => {
      const [to, from] = [index === length - 1 ? 'z' : `h${index}`, index === 0 ? 'x' : `h${index - 1}`];
      return `%${to} = einsum(%${from}, %w) {eq="bi,ij->bj"} : f32[N,40]`;
    }),
  );

function planOf(drawn: Drawn, batch = 1): KernelPlan {
  return planKernels(kernelsOf({ graph: drawn.graph, weights: dataFor(drawn, batch).weights }, batch));
}

type Placed = readonly [Name, Placement];

/** Whether two buffers hold numbers at the same time. */
const liveTogether = ([, a]: Placed, [, b]: Placed) => a.from <= b.until && b.from <= a.until;

const overlap = ([, a]: Placed, [, b]: Placed) =>
  a.region === b.region && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;

/** Buffers of the load phase have lives of their own: they and those of a run never live at once. */
function phasesOf(plan: KernelPlan): Placed[][] {
  const inRun = new Set([
    ...Object.values(plan.program.outputs),
    ...[...plan.program.buffers.values()].flatMap(({ name, origin }) => (origin === 'input' ? [name] : [])),
    ...plan.run.flatMap((kernel) =>
      'stores' in kernel ? kernel.stores.map((s) => s.access.buffer) : [kernel.to],
    ),
  ]);
  const all = [...plan.placements];
  const persistent = all.filter(([, { region }]) => region === 'weights');
  const arena = all.filter(([, { region }]) => region === 'arena');
  return [true, false].map((isRun) => [
    ...persistent,
    ...arena.filter(([name]) => inRun.has(name) === isRun),
  ]);
}

function expectSound(plan: KernelPlan): void {
  const { weightBytes, arenaBytes, liveBytes, program } = plan;
  expect([...plan.placements.keys()].sort()).toEqual([...program.buffers.keys()].sort());
  for (const [name, { region, offset, bytes }] of plan.placements) {
    expect(offset % 64, name).toBe(0);
    const elements = program.buffers.get(name)!.shape.reduce((product, extent) => product * extent, 1);
    expect(bytes, name).toBeGreaterThanOrEqual(4 * elements);
    expect(offset + bytes, name).toBeLessThanOrEqual(region === 'weights' ? weightBytes : arenaBytes);
  }
  for (const placed of phasesOf(plan)) {
    for (const [index, one] of placed.entries()) {
      const other = placed.slice(index + 1).find((each) => overlap(one, each) && liveTogether(one, each));
      expect(other?.[0], `lies over ${one[0]}`).toBeUndefined();
    }
  }
  const inArena = [...plan.placements.values()].filter(({ region }) => region === 'arena');
  expect(arenaBytes).toBeLessThanOrEqual(inArena.reduce((sum, { bytes }) => sum + bytes, 0));
  expect(liveBytes).toBeLessThanOrEqual(arenaBytes);
}

describe('memory', () => {
  it('of random programs: nothing overlaps that lives together, all is aligned and inside', () => {
    forPrograms(randomMovement, 300, (program) => {
      expectSound(planKernels(kernelsOf(program, program.batch)));
      const names = nodesWithOp(program.graph, 'input').map(({ name }) => name);
      const varied = new Set(names.slice(-1));
      expectSound(planKernels(kernelsOf(program, program.batch), { varied }));
    });
  });

  it('of a chain is that of its two largest neighbours', () => {
    const plan = planOf(chain(20));
    expectSound(plan);
    expect([plan.arenaBytes, plan.liveBytes]).toEqual([2 * 192, 2 * 192]);
    expect(planOf(chain(20), 3).arenaBytes).toBe(2 * 512);
  });
});

/** Other values for the varied inputs. */
function otherValues(graph: Graph, inputs: Inputs, varied: ReadonlySet<Name>): Inputs {
  return Object.fromEntries(
    nodesWithOp(graph, 'input')
      .filter(({ name }) => varied.has(name))
      .map(({ name }) => {
        const { dtype, shape, data } = inputs[name]!;
        const flipped = Array.from(data, (value) => (dtype === 'bool' ? 1 - value : -value));
        return [name, { dtype, shape, data: (data.constructor as Float32ArrayConstructor).from(flipped) }];
      }),
  );
}

/** The varied part again gives what a whole run gives, for each single input as the varied one. */
function expectVaried({ graph, inputs, weights, batch }: RandomProgram): void {
  const program = { graph, weights };
  for (const name of Object.keys(inputs)) {
    const varied = new Set([name]);
    const loaded = new Loaded(program, batch, varied);
    const first = loaded.run(inputs);
    const others = otherValues(graph, inputs, varied);
    const again = loaded.run(others, 'varied');
    const back = loaded.run({ [name]: inputs[name]! }, 'varied');
    const whole = new Loaded(program, batch);
    expectSameBits(first, whole.run(inputs));
    expectSameBits(again, whole.run({ ...inputs, ...others }));
    expectSameBits(back, first);
  }
}

describe('runs', () => {
  it('give the same bits again, over memory full of NaN', () => {
    forPrograms(randomMovement, 150, ({ graph, inputs, weights, batch }) => {
      const loaded = new Loaded({ graph, weights }, batch);
      const first = loaded.run(inputs);
      loaded.spoil();
      expectSameBits(loaded.run(inputs), first);
    });
  });

  it('of the varied part give what whole runs give', () => {
    forPrograms(randomMovement, 200, expectVaried);
  });

  it('keep what the varied part reads also where nothing reads a varied input', () => {
    const drawn = graphOf(
      { x: 'in f32[64]', unread: 'in f32[64]', v: 'in f32[64]' },
      '%h = relu(%x) : f32[64]',
      '%m = reduce_max(%h) {axes=[0]} : f32[]',
      '%b = broadcast(%m) {axes=[]} : f32[64]',
      '%d = sub(%b, %h) : f32[64]',
      '%z = mul(%d, %v) : f32[64]',
    );
    const { inputs, weights } = dataFor(drawn);
    const loaded = new Loaded({ graph: drawn.graph, weights }, 1, new Set(['v', 'unread']));
    const wanted = loaded.run(inputs);
    expectSameBits(loaded.run({ v: inputs.v!, unread: inputs.unread! }, 'varied'), wanted);
  });
});
