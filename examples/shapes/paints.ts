// Colours and two-colour textures.

import type { Random } from './random.js';

export type Colour = readonly [red: number, green: number, blue: number];

/** The colour at a place of the picture. */
export type Paint = (x: number, y: number) => Colour;

export function mix(from: Colour, to: Colour, share: number): Colour {
  return [
    from[0] + (to[0] - from[0]) * share,
    from[1] + (to[1] - from[1]) * share,
    from[2] + (to[2] - from[2]) * share,
  ];
}

export function colourDistance(a: Colour, b: Colour): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

export function randomColour(random: Random): Colour {
  return [random.between(15, 240), random.between(15, 240), random.between(15, 240)];
}

/** A colour at least `distance` away from all the others, or the farthest one that was found. */
export function distinctColour(random: Random, others: readonly Colour[], distance: number): Colour {
  let best = randomColour(random);
  let bestGap = nearestGap(best, others);
  for (let attempt = 0; attempt < 40 && bestGap < distance; attempt++) {
    const candidate = randomColour(random);
    const gap = nearestGap(candidate, others);
    if (gap > bestGap) {
      best = candidate;
      bestGap = gap;
    }
  }
  return best;
}

function nearestGap(colour: Colour, others: readonly Colour[]): number {
  return Math.min(...others.map((other) => colourDistance(colour, other)));
}

/** A colour a little away from the given one, channel by channel. */
export function nearbyColour(random: Random, colour: Colour, spread: number): Colour {
  const moved = (channel: number) => clampChannel(channel + random.between(-spread, spread));
  return [moved(colour[0]), moved(colour[1]), moved(colour[2])];
}

export function clampChannel(value: number): number {
  return Math.min(255, Math.max(0, value));
}

/** How much of the second colour there is at (u, v); u and v are turned picture coordinates. */
type Pattern = (u: number, v: number) => number;

function stripes(random: Random): Pattern {
  const period = random.between(4, 9);
  const phase = random.between(0, period);
  return (u) => softStep(Math.abs(remainder(u + phase, period) - period / 2) - period / 4);
}

function checks(random: Random): Pattern {
  const side = random.between(3, 6);
  return (u, v) => {
    const across = Math.sin((Math.PI * u) / side) * Math.sin((Math.PI * v) / side);
    return softStep(across * side);
  };
}

function dots(random: Random): Pattern {
  const period = random.between(5, 9);
  const radius = period * random.between(0.22, 0.34);
  return (u, v) => {
    const offsetU = remainder(u, period) - period / 2;
    const offsetV = remainder(v, period) - period / 2;
    return softStep(radius - Math.hypot(offsetU, offsetV));
  };
}

function speckle(random: Random): Pattern {
  const cell = random.between(1.2, 3);
  const noise = valueNoise(random, cell);
  return (u, v) => softStep((noise(u, v) - 0.5) * 4);
}

function slope(random: Random): Pattern {
  const reach = random.between(20, 45);
  const middle = random.between(24, 40);
  return (u) => clampShare(0.5 + (u - middle) / reach);
}

function plain(): Pattern {
  return () => 0;
}

const patterns = [stripes, checks, dots, speckle, slope, plain];

/** A texture of two colours, at any angle; the six patterns are equally likely. */
export function randomPaint(random: Random, first: Colour, second: Colour): Paint {
  const pattern = patterns[random.whole(0, patterns.length - 1)]!(random);
  const angle = random.between(0, 2 * Math.PI);
  const cosine = Math.cos(angle);
  const sine = Math.sin(angle);
  return (x, y) => {
    const u = cosine * (x - 32) + sine * (y - 32) + 32;
    const v = cosine * (y - 32) - sine * (x - 32) + 32;
    return mix(first, second, pattern(u, v));
  };
}

/** Smooth random values in [0, 1], about one per cell of the given side. */
export function valueNoise(random: Random, cell: number): (x: number, y: number) => number {
  const side = Math.ceil(96 / cell) + 1;
  const lattice = new Float32Array(side * side).map(() => random.between(0, 1));
  const at = (column: number, row: number) => lattice[remainder(row, side) * side + remainder(column, side)]!;
  return (x, y) => {
    const column = Math.floor(x / cell);
    const row = Math.floor(y / cell);
    const right = x / cell - column;
    const down = y / cell - row;
    const top = at(column, row) * (1 - right) + at(column + 1, row) * right;
    const bottom = at(column, row + 1) * (1 - right) + at(column + 1, row + 1) * right;
    return top * (1 - down) + bottom * down;
  };
}

function remainder(value: number, divisor: number): number {
  return value - divisor * Math.floor(value / divisor);
}

function softStep(value: number): number {
  return clampShare(0.5 + value);
}

function clampShare(value: number): number {
  return Math.min(1, Math.max(0, value));
}
