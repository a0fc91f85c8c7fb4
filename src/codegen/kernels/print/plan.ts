// Plans as text, the dump of the stage `plan`: what each step writes and frees, and which buffers share which bytes.
import type { Name } from '../../../ir/graph.js';
import { printType } from '../../../ir/type.js';
import { type Kernel, writes } from '../kernel.js';
import type { KernelPlan, Placement } from '../plan.js';
import { kindOf } from './kernels.js';
import { columns, counted, printBytes } from './layout.js';

interface Placed extends Placement {
  readonly name: Name;
}

interface PhaseMemory {
  readonly title: string;
  readonly kernels: readonly Kernel[];
  /** Buffers of the arena while this phase runs, by offset. */
  readonly buffers: readonly Placed[];
  /** Bytes that live while each kernel runs. */
  readonly live: readonly number[];
}

interface Peak {
  readonly title: string;
  readonly step: number;
}

const barWidth = 20;
const chartWidth = 64;
const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of block characters, `fraction` of the full width. */
function bar(fraction: number): string {
  const count = Math.round(fraction * barWidth * 8);
  return `${'█'.repeat(Math.floor(count / 8))}${eighths[count % 8]}`;
}

const sumOf = (buffers: readonly Placement[]) => buffers.reduce((total, { bytes }) => total + bytes, 0);

const livesAt = ({ from, until }: Placement, step: number) => from <= step && step <= until;

/** What a phase has in the arena: both phases use it from its start. */
function memoryOf(plan: KernelPlan, title: 'load' | 'run'): PhaseMemory {
  const kernels = plan[title];
  const loaded = new Set(plan.load.flatMap(writes));
  const buffers = [...plan.placements]
    .filter(([name, { region }]) => region === 'arena' && loaded.has(name) === (title === 'load'))
    .map(([name, placement]) => ({ name, ...placement }))
    .sort((a, b) => a.offset - b.offset || a.from - b.from);
  const live = kernels.map((_, step) => sumOf(buffers.filter((each) => livesAt(each, step))));
  return { title, kernels, buffers, live };
}

/** Offsets as hexadecimal numbers of one width. */
function addresses(plan: KernelPlan): (offset: number) => string {
  const digits = Math.max(plan.weightBytes, plan.arenaBytes).toString(16).length;
  return (offset) => `0x${offset.toString(16).padStart(digits, '0')}`;
}

/** The first step at which most bytes live, if any do. */
function peakOf(phases: readonly PhaseMemory[], bytes: number): Peak | undefined {
  const phase = phases.find(({ live }) => live.includes(bytes));
  return phase && { title: phase.title, step: phase.live.indexOf(bytes) };
}

/** What a phase computes step by step: a row for each buffer that a step writes (+) and for each that dies with it (−). */
function stepTable(plan: KernelPlan, { kernels, buffers, live }: PhaseMemory, peak: number): string[] {
  const address = addresses(plan);
  const seen = new Set<Name>();
  const change = (mark: string, name: Name) => {
    const { region, offset, bytes } = plan.placements.get(name)!;
    return [mark, region === 'arena' ? address(offset) : region, printBytes(bytes), `%${name}`];
  };
  const rows = kernels.flatMap((kernel, step) => {
    const fraction = plan.liveBytes === 0 ? 0 : live[step]! / plan.liveBytes;
    const own = [
      ...[String(step), kindOf(kernel), printBytes(live[step]!)],
      `${bar(fraction)}${step === peak ? ' ◀ peak' : ''}`,
    ];
    const written = writes(kernel).map((name) => change(seen.has(name) ? '' : '+', name));
    for (const name of writes(kernel)) seen.add(name);
    const freed = buffers.filter(({ until }) => until === step).map(({ name }) => change('−', name));
    return [...written, ...freed].map((cells, index) => [
      ...(index === 0 ? own : ['', '', '', '']),
      ...cells,
    ]);
  });
  const heading = ['step', 'kernel', 'live', 'of the peak', '', 'at', 'size', 'buffer'];
  return columns(heading, rows, new Set(['step', 'live', 'size']));
}

/** While which steps a buffer lives, as a strip: each character stands for one step or several. */
function strip({ from, until }: Placement, steps: number): string {
  const width = Math.min(steps, chartWidth);
  return Array.from({ length: width }, (_, place) => {
    const [first, end] = [Math.floor((place * steps) / width), Math.ceil(((place + 1) * steps) / width)];
    return from < end && until >= first ? '█' : '·';
  }).join('');
}

/** `3–7`; what is given before, and what is read after the last step, says so. */
function lifetime({ from, until }: Placement, steps: number): string {
  return `${from < 0 ? 'given' : from}–${until >= steps ? 'end' : until}`;
}

/** Who lies where in the arena, and while which steps: rows with the same bytes share them in time. */
function arenaTable(plan: KernelPlan, { kernels, buffers }: PhaseMemory): string[] {
  const address = addresses(plan);
  const rows = buffers.map((buffer) => [
    address(buffer.offset),
    address(buffer.offset + buffer.bytes),
    printBytes(buffer.bytes),
    lifetime(buffer, kernels.length),
    strip(buffer, kernels.length),
    `%${buffer.name} : ${printType(plan.program.buffers.get(buffer.name)!)}`,
  ]);
  return columns(['at', 'to', 'size', 'steps', 'lives', 'buffer'], rows, new Set(['size']));
}

/** Where each weight, constant, and value computed from them lies. */
function weightTable(plan: KernelPlan): string[] {
  const address = addresses(plan);
  const { weights, buffers } = plan.program;
  const madeBy = new Map(plan.load.flatMap((kernel, step) => writes(kernel).map((name) => [name, step])));
  const sourceOf = (name: Name) => {
    if (weights.has(name)) return JSON.stringify(weights.get(name));
    return madeBy.has(name) ? `load ${madeBy.get(name)}` : 'constant';
  };
  const rows = [...plan.placements]
    .filter(([, { region }]) => region === 'weights')
    .sort(([, a], [, b]) => a.offset - b.offset)
    .map(([name, { offset, bytes }]) => [
      address(offset),
      printBytes(bytes),
      sourceOf(name),
      `%${name} : ${printType(buffers.get(name)!)}`,
    ]);
  return columns(['at', 'size', 'from', 'buffer'], rows, new Set(['size']));
}

function planHead(plan: KernelPlan, phases: readonly PhaseMemory[], peak: Peak | undefined): string[] {
  const { program, weightBytes, arenaBytes, liveBytes } = plan;
  const apart = phases.reduce((total, { buffers }) => total + sumOf(buffers), 0);
  const count = (region: Placement['region']) =>
    [...plan.placements.values()].filter((placement) => placement.region === region).length;
  const rows = [
    ['weights', printBytes(weightBytes), counted(count('weights'), 'buffer')],
    ['arena', printBytes(arenaBytes), factorOf(arenaBytes, liveBytes)],
    ['live', printBytes(liveBytes), `at most, at ${printPeak(peak)}: the arena cannot be smaller`],
    ['apart', printBytes(apart), `what ${counted(count('arena'), 'buffer')} would take, each for itself`],
  ];
  const [labels, sizes] = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return [
    `plan @${program.name}`,
    ...rows.map(([label, bytes, text]) => `  ${label!.padEnd(labels!)}  ${bytes!.padStart(sizes!)}  ${text}`),
  ];
}

const printPeak = (peak: Peak | undefined) => (peak === undefined ? 'no step' : `${peak.title} ${peak.step}`);

const factorOf = (arena: number, live: number) =>
  live === 0 ? 'nothing lives in it' : `${(arena / live).toFixed(2)} × what lives at once`;

/** The whole plan: a head, the steps of each phase, then memory by place. */
export function printPlan(plan: KernelPlan): string {
  const phases = (['load', 'run'] as const).map((title) => memoryOf(plan, title));
  const peak = peakOf(phases, plan.liveBytes);
  const blocks = [
    planHead(plan, phases, peak),
    ...phases
      .filter(({ kernels }) => kernels.length > 0)
      .map((phase) => [
        `steps of ${phase.title}`,
        ...stepTable(plan, phase, peak?.title === phase.title ? peak.step : -1),
      ]),
    ...phases
      .filter(({ buffers }) => buffers.length > 0)
      .map((phase) => [`arena of ${phase.title}`, ...arenaTable(plan, phase)]),
    ['weights', ...weightTable(plan)],
  ];
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
