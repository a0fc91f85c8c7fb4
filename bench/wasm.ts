// npm run bench: explanations of whole networks beside their floors, and beside what one would write with tfjs by hand.
// Options: --only vgg16,dense  --threads 1,2  --rounds 5  --json FILE  --markdown FILE
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { networks } from './line-up.js';
import { peakMemory } from './measure.js';
import { asMarkdown, forTerminal, machineLine, number, type Table } from './report.js';
import { type Measured, measureNetwork, type PresetMeasured, type Results } from './rounds.js';

const { values: given } = parseArgs({
  options: {
    only: { type: 'string', default: networks.map(({ key }) => key).join() },
    threads: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
    markdown: { type: 'string' },
  },
});

const began = performance.now();

function say(line: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.error(`[${seconds.padStart(5)} s, peak ${peakMemory().toFixed(0)} MB] ${line}`);
}

function presetTable(title: string, rows: readonly PresetMeasured[]): Table {
  return {
    title,
    head: [
      ...['rules', 'on', 'threads', 'forward ms', 'GFLOP/s', 'explain ms', 'GFLOP/s', 'of peak'],
      ...['× forward', 'work ×', 'floor ×', 'first ms', 'difference'],
    ],
    rows: rows.map((row) => [
      ...[row.rules, row.name, String(row.threads), number(row.forward), number(row.forwardRate)],
      ...[number(row.explain), number(row.explainRate), percent(row.ofPeak), number(row.multiple)],
      number(row.work),
      ...[number(row.floor), number(row.first)],
      difference(row),
    ]),
  };
}

const difference = (row: Measured) => row.difference?.toExponential(1) ?? '–';
const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
const megabytes = (bytes: number) => number(bytes / 1e6);

function compileTable({ compiling }: Results): Table {
  return {
    title: 'Compiling, ms: what depends on the weights is tracing and canonicalize',
    head: ['network', 'rules', 'trace', 'canonicalize', 'relevance', 'kernels', 'module', 'module kB'],
    rows: compiling.map((row) => [
      ...[row.network, row.rules, number(row.trace), number(row.canonicalize), number(row.relevance)],
      ...[number(row.kernels), number(row.module), number(row.moduleBytes / 1000)],
    ]),
  };
}

/** What the process takes beside weights and 1.2 arenas is the engine's own. */
function memoryTable({ memory }: Results): Table {
  return {
    title: 'Explainers as files, run once on one thread in a fresh process, MB',
    head: [
      'network',
      'rules',
      'module',
      'weights',
      'arena',
      'resident at most',
      'beside weights and 1.2 arenas',
    ],
    rows: memory.map(({ network, rules, moduleBytes, weightBytes, arenaBytes, realBytes }) => [
      ...[network, rules, (moduleBytes / 1e6).toFixed(3), megabytes(weightBytes), megabytes(arenaBytes)],
      ...[megabytes(realBytes), megabytes(realBytes - weightBytes - 1.2 * arenaBytes)],
    ]),
  };
}

/** A gradient is no relevance: what it differs by says nothing. */
function comparedTable(title: string, rows: readonly Measured[]): Table {
  return {
    title,
    head: ['by', 'threads', 'forward ms', 'explain ms', '× forward', '× the first', 'difference'],
    rows: rows.map((row) => [
      ...[row.name, String(row.threads), number(row.forward), number(row.explain), number(row.multiple)],
      ...[number(row.versus), row.name === 'tf.grad' ? '–' : difference(row)],
    ]),
  };
}

function tablesOf(results: Results): Table[] {
  const { presets, compared, failures } = results;
  const tables = networks.flatMap(({ key, title, compared: rules }) => [
    presetTable(
      title,
      presets.filter(({ network }) => network === key),
    ),
    comparedTable(
      `${title}: ${rules}, side by side`,
      compared.filter(({ network }) => network === key),
    ),
  ]);
  const failed: Table = {
    title: 'What does not run',
    head: ['network', 'threads', 'by', 'message'],
    rows: failures.map(({ network, threads, name, message }) => [
      ...[network, String(threads), name, message.replaceAll('\n', ' ')],
    ]),
  };
  return [...tables, compileTable(results), memoryTable(results), failed].filter(
    ({ rows }) => rows.length > 0,
  );
}

function chosenNetworks() {
  const asked = given.only.split(',');
  const unknown = asked.filter((key) => !networks.some((network) => network.key === key));
  if (unknown.length > 0) {
    throw new Error(
      `no network is called ${unknown.join()}; there are ${networks.map(({ key }) => key).join()}`,
    );
  }
  return networks.filter(({ key }) => asked.includes(key));
}

tf.enableProdMode();
const results: Results = { compiling: [], memory: [], presets: [], compared: [], failures: [] };
for (const network of chosenNetworks()) {
  for (const threads of given.threads.split(',').map(Number)) {
    await measureNetwork({ network, threads, rounds: Number(given.rounds), say }, results);
  }
}
const tables = tablesOf(results);
const machine = `${machineLine()}; medians of ${given.rounds} rounds, batch 1, peak ${peakMemory().toFixed(0)} MB`;
console.log([machine, ...tables.map(forTerminal)].join('\n\n'));
if (given.markdown !== undefined)
  writeFileSync(given.markdown, `${[machine, ...tables.map(asMarkdown)].join('\n\n')}\n`);
if (given.json !== undefined)
  writeFileSync(given.json, `${JSON.stringify({ machine, ...results }, undefined, 2)}\n`);
// tfjs's workers would keep the process alive
process.exit();
