// The seed: which class is explained, and what relevance starts as at the scores, as nodes of the graph.
import type { Arithmetic } from '../ir/arithmetic.js';
import type { Name } from '../ir/graph.js';
import { elementCount, isBatched } from '../ir/type.js';
import { type Preset, prefixes, type Seed } from './preset.js';

/** The input that names the class to explain, an i32 for each sample; −1 asks for the arg-max. */
export const targetInput = 'seed.target';
/** The input that names the class to compare with, of the seed `contrast`; −1 asks for the strongest other class. */
export const againstInput = 'seed.against';
/** The input that holds R at the scores, of the seed `tensor`. */
export const tensorInput = 'seed.relevance';

/** Inputs that say what is explained, not what is looked at. */
export const isSeedInput = (name: Name): boolean =>
  name === targetInput || name === againstInput || name === tensorInput;

export interface SeedValues {
  /** The class explained, [N]. */
  readonly target: Name;
  /** f(x): the target's score, [N]. */
  readonly logit: Name;
  /** The class to compare with, [N]: of the seed `contrast`. */
  readonly against?: Name;
  /** ΣR at the start, [N]. */
  readonly start: Name;
  /** R at the scores. */
  readonly relevance: Name;
}

/** Adds nodes named `seed.…` to the scores `flat`, [N, classes]. */
class SeedBuilder {
  constructor(
    private readonly k: Arithmetic,
    private readonly flat: Name,
  ) {}

  private get classes(): number {
    return this.k.builder.typeOf(this.flat).shape[1] as number;
  }

  add(op: string, args: readonly Name[], suffix: string, attrs = {}): Name {
    return this.k.builder.add(op, args, { name: `seed.${suffix}`, attrs });
  }

  /** The class that an input names, or the top one of `scores` where it is −1. */
  classOf(input: Name, scores: Name, suffix: string): Name {
    const { builder } = this.k;
    const index = { dtype: 'i32', shape: builder.typeOf(this.flat).shape.slice(0, 1) } as const;
    const asked = builder.add('input', [], { name: input, type: index });
    const top = this.add('argmax', [scores], `${suffix}top`, { axis: 1 });
    const given = this.add(
      'greater_equal',
      [asked, builder.splat(0, index, `seed.${suffix}zero`)],
      `${suffix}given`,
    );
    return this.add('select', [given, asked, top], `${suffix}class`);
  }

  oneHot(index: Name, suffix: string): Name {
    return this.add('one_hot', [index], suffix, { depth: this.classes });
  }

  /** The class to compare with: the strongest that is not the target, if none is named. */
  against(hot: Name): Name {
    const { k, flat } = this;
    const isTarget = k.binary('greater', hot, k.constant(0, hot));
    const lowest = k.constant(Number.NEGATIVE_INFINITY, flat);
    const others = this.add('select', [isTarget, lowest, flat], 'others');
    return this.classOf(againstInput, others, 'against_');
  }

  /** R at the scores of a contrast: for relevance in units of the scores, for a gradient without. */
  contrast(hot: Name, against: Name, quantity: Preset['quantity']): Name {
    const signs = this.add('sub', [hot, this.oneHot(against, 'against_hot')], 'contrast');
    return quantity === 'gradient' ? signs : this.add('mul', [signs, this.flat], 'contrasted_scores');
  }
}

/**
 * Target, logit and start of an explanation.
 * @param z  the scores, before a final softmax
 * @param name  the name of R at z
 */
export function addSeed(
  k: Arithmetic,
  z: Name,
  { seed, quantity, name }: { seed: Seed; quantity: Preset['quantity']; name: Name },
): SeedValues {
  const { builder } = k;
  const type = builder.typeOf(z);
  const rows = isBatched(type) ? 'N' : 1;
  const flatType = { dtype: 'f32', shape: [rows, elementCount(type.shape)] } as const;
  const flat = builder.add('reshape', [z], { name: 'seed.scores', type: flatType });
  const seeds = new SeedBuilder(k, flat);
  const target = seeds.classOf(targetInput, flat, '');
  const hot = seeds.oneHot(target, 'hot');
  const atTarget = seeds.add('mul', [hot, flat], 'scores_at_target');
  const logit = seeds.add('sum', [atTarget], 'logit', { axes: [1] });
  const startingAt = (start: Name, relevance: Name) => ({
    ...{ target, logit, relevance },
    start: seeds.add('sum', [start], 'start', { axes: [1] }),
  });
  if (seed === 'tensor') {
    const given = builder.add('input', [], { name: tensorInput, type });
    const rowsOf = builder.add('reshape', [given], { name: 'seed.rows', type: flatType });
    return startingAt(rowsOf, builder.add('reshape', [given], { name, type }));
  }
  const shaped = (start: Name) => startingAt(start, builder.add('reshape', [start], { name, type }));
  if (seed !== 'contrast') return shaped({ logit: atTarget, one: hot, outputs: flat }[seed]);
  const against = seeds.against(hot);
  return { ...shaped(seeds.contrast(hot, against, quantity)), against };
}

/**
 * Where the derivative starts of what a seed explains, [N, …] as the scores z: 1 at the target, 1 and −1 at the classes of
 * a contrast, 1 at all scores; and what is given as relevance itself.
 * @param relevance  R at z, of the same seed
 */
export function addDerivative(k: Arithmetic, z: Name, seed: Seed, relevance: Name): Name {
  const { builder } = k;
  const type = builder.typeOf(z);
  const name = builder.fresh(`${prefixes.gradient}${z}`);
  const shaped = (start: Name) => builder.add('reshape', [start], { name, type });
  switch (seed) {
    case 'one':
    case 'tensor':
      return relevance;
    case 'logit':
      return shaped('seed.hot');
    case 'contrast':
      return shaped('seed.contrast');
    case 'outputs':
      return builder.splat(1, type, name);
  }
}
