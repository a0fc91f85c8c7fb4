// The books of whole networks: what relevance starts with is what arrives at the input and what all rules lose.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/ir/evaluate.js';
import { tensor } from '../../src/ir/tensor.js';
import { addAccount } from '../../src/rules/account.js';
import type { Composite } from '../../src/rules/composite.js';
import { explain } from '../../src/rules/explanation.js';
import { prefixes, presetNamed } from '../../src/rules/presets.js';
import { targetInput } from '../../src/rules/seed.js';
import { everyPreset, holds, requestFor } from './law-support.js';
import { composites } from './random-composites.js';
import { mixedNet, type Net } from './random-nets.js';
import { dialect, lower, propagate, sequence, total, uniform } from './support.js';

/** Σ over everything of what is left when R at the scores is handed down under a composite, by the largest sum. */
function booksUnder(composite: Composite, net: Net): number {
  const seed = { value: net.graph.outputs.y!, relevance: 'R' };
  const account = addAccount(propagate(net.graph, composite), dialect, { seed, quantity: 'relevance' });
  const R = uniform([net.x.shape[0]!, 3], sequence(4));
  const values = evaluate(lower(account.graph), dialect, { x: net.x, R }, net.weights);
  const sumOf = (key: string) => total(values[key]!.data);
  const leaks = account.entries.flatMap((entry) => [...entry.leaks!.values()]).map(sumOf);
  const [start, arrived] = [sumOf(account.start), sumOf('x')];
  const masses = account.entries.map(({ mass }) => sumOf(mass));
  return (start - arrived - total(leaks)) / Math.max(...[start, arrived, ...leaks].map(Math.abs), ...masses);
}

/** By sample: the start less what the input receives and all leaks, and the largest of these sums. */
function books(net: Net, name: string): { rest: number; scale: number }[] {
  const { quantity } = presetNamed(name);
  const { graph } = explain(net.graph, dialect, requestFor(name));
  const z = net.graph.outputs.y!;
  const seed = { value: z, relevance: `${prefixes[quantity]}${z}` };
  const account = addAccount(graph, dialect, { seed, quantity });
  const { entries, start } = account;
  const target = tensor([net.x.shape[0]!], new Array<number>(net.x.shape[0]!).fill(-1), 'i32');
  const values = evaluate(lower(account.graph), dialect, { x: net.x, [targetInput]: target }, net.weights);
  const leaks = entries.flatMap((entry) => [...entry.leaks!.values()]);
  const received = values['relevance.x']!.data;
  const size = received.length / target.data.length;
  return Array.from(values[start]!.data, (whole, n) => {
    const part = received.slice(n * size, (n + 1) * size);
    const weighed = name === 'gradient' || name === 'guided-backprop' || name === 'deconvnet';
    const arrived = total(weighed ? part.map((g, i) => g * net.x.data[n * size + i]!) : part);
    const lost = leaks.map((key) => values[key]!.data[n]!);
    const scale = Math.max(...[whole, arrived, ...lost].map(Math.abs));
    return { rest: whole - arrived - total(lost), scale };
  });
}

describe('(L35) Σ of the start = Σ at the input + Σ of all leaks', () => {
  it.each(everyPreset.filter(([name]) => name !== 'grad-cam'))('%s, %s', (name, _kind, draw) => {
    holds((shape) => {
      const found = books(draw(shape), name);
      const samples = name === 'chefer-original' ? [found] : found.map((each) => [each]);
      for (const together of samples) {
        const rest = total(together.map((each) => each.rest));
        expect(Math.abs(rest)).toBeLessThanOrEqual(1e-7 * Math.max(...together.map((each) => each.scale)));
      }
    }, 5);
  });

  it('any rules, whatever they are', () => {
    const check = (seed: number, composite: Composite) => {
      const net = mixedNet({ seed, depth: 1, width: 2, batch: 2 });
      expect(Math.abs(booksUnder(composite, net))).toBeLessThan(1e-7);
    };
    fc.assert(fc.property(fc.integer(), composites, check), { numRuns: 40, seed: 1 });
  });
});
