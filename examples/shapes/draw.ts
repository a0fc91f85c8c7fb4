// Pictures of one textured shape on a cluttered background, drawn from a seed, with the shape's mask.

import { type Canvas, createCanvas, develop, type Figure, fill, maskOf, side, stamp } from './canvas.js';
import {
  arc,
  circle,
  cross,
  lump,
  type Outline,
  type Point,
  placed,
  regularPolygon,
  star,
  strip,
} from './outlines.js';
import {
  type Colour,
  distinctColour,
  mix,
  nearbyColour,
  type Paint,
  randomColour,
  randomPaint,
  valueNoise,
} from './paints.js';
import { createRandom, type Random } from './random.js';

export const labels = ['circle', 'square', 'triangle', 'star', 'cross'];

export interface Picture {
  width: 64;
  height: 64;
  /** RGB, row by row. */
  pixels: Uint8Array;
  /** 1 where the shape is, 0 elsewhere. */
  mask: Uint8Array;
  /** The shape's place in `labels`. */
  label: number;
}

type Ground = readonly [first: Colour, second: Colour];

/**
 * The same seed always gives the same picture. A `clutter` below 1 gives calmer pictures, down to an even shape on
 * an even ground at 0: a network learns sooner if it sees such pictures first.
 */
export function drawPicture(seed: number, clutter = 1): Picture {
  const random = createRandom(seed);
  const label = random.whole(0, labels.length - 1);
  const groundColour = randomColour(random);
  const ground: Ground = [groundColour, mix(groundColour, randomColour(random), clutter)];
  const canvas = createCanvas();
  paintGround(random, canvas, ground, clutter);
  paintClutter(random, canvas, ground, clutter);
  const shape = randomShape(random, label);
  stamp(canvas, shape, shapePaint(random, ground, clutter));
  const pixels = develop(canvas, random, clutter * random.between(1, 7));
  return { width: side, height: side, pixels, mask: maskOf(shape), label };
}

/** A slope between two colours, disturbed by clouds. */
function paintGround(random: Random, canvas: Canvas, [first, second]: Ground, clutter: number): void {
  const cloud = valueNoise(random, random.between(5, 20));
  const cloudStrength = clutter * random.between(0, 0.9);
  const angle = random.between(0, 2 * Math.PI);
  const alongX = Math.cos(angle) / side;
  const alongY = Math.sin(angle) / side;
  fill(canvas, (x, y) => {
    const slope = 0.5 + (x - side / 2) * alongX + (y - side / 2) * alongY;
    const share = slope + (cloud(x, y) - 0.5) * cloudStrength;
    return mix(first, second, Math.min(1, Math.max(0, share)));
  });
}

/** Lines across the picture, and fragments that are none of the shapes: all of them lie behind the shape. */
function paintClutter(random: Random, canvas: Canvas, ground: Ground, clutter: number): void {
  const lines = Math.round(clutter * random.whole(1, 3));
  for (let count = 0; count < lines; count++) {
    const [from, to] = [randomPlace(random), randomPlace(random)];
    const outline = strip([from, to], random.between(0.8, 2.2));
    stamp(canvas, { outline, ...boxAround(from, to) }, clutterPaint(random, ground));
  }
  const fragments = Math.round(clutter * random.whole(4, 8));
  for (let count = 0; count < fragments; count++) {
    const centre = randomPlace(random);
    const size = random.between(3, 6.5);
    const outline = placed(randomFragment(random, size), centre, random.between(0, 2 * Math.PI));
    stamp(canvas, { outline, centre, reach: 1.45 * size + 1.5 }, clutterPaint(random, ground));
  }
}

function boxAround(from: Point, to: Point): { centre: Point; reach: number } {
  const reach = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])) / 2 + 2;
  return { centre: [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2], reach };
}

function randomPlace(random: Random): Point {
  return [random.between(0, side), random.between(0, side)];
}

/** No point of it is farther from the origin than 1.45 times the size, plus half of the greatest width. */
function randomFragment(random: Random, size: number): Outline {
  const width = random.between(1.2, 2.6);
  const start: Point = [-size, 0];
  const bend: Point = [random.between(-size, size), size];
  const makers: (() => Outline)[] = [
    () => lump(random, size),
    () => strip([start, [size, 0]], width),
    () => strip([start, [0, 0], bend], width),
    () => arc(size, random.between(1.2, 3), width),
  ];
  return makers[random.whole(0, makers.length - 1)]!();
}

function clutterPaint(random: Random, ground: Ground): Paint {
  const first = random.chance(0.5) ? randomColour(random) : nearbyColour(random, ground[0], 70);
  return randomPaint(random, first, nearbyColour(random, first, 90));
}

/** The shape at a random place, size and angle, wholly inside the picture. */
function randomShape(random: Random, label: number): Figure {
  const radius = random.between(12, 15.5);
  const reach = radius * largestReach + 1;
  const centre: Point = [random.between(reach, side - reach), random.between(reach, side - reach)];
  return {
    outline: placed(shapeOutline(label, radius), centre, random.between(0, 2 * Math.PI)),
    centre,
    reach,
  };
}

/** No shape reaches farther from its centre than this multiple of the radius. */
const largestReach = 1.3;

/** Shapes of one radius have much the same area, so that the size says little about the class. */
function shapeOutline(label: number, radius: number): Outline {
  const makers: (() => Outline)[] = [
    () => circle(radius * 0.9),
    () => regularPolygon(4, radius * 1.1),
    () => regularPolygon(3, radius * largestReach),
    () => star(5, radius * 1.25, radius * 0.58),
    () => cross(radius * 1.05, radius * 0.36),
  ];
  return makers[label]!();
}

/** Both colours of the texture stay clear of the ground, so that the outline can be seen everywhere. */
function shapePaint(random: Random, ground: Ground, clutter: number): Paint {
  const behind = [...ground, mix(...ground, 0.5)];
  const first = distinctColour(random, behind, 120);
  const second = distinctColour(random, [...behind, first], 90);
  return randomPaint(random, first, mix(first, second, clutter));
}
