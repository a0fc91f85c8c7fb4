// Outlines of flat figures, each as a signed distance: negative inside, positive outside, in pixels.

import type { Random } from './random.js';

export type Point = readonly [x: number, y: number];

/** The signed distance from a point to the outline, in the figure's own coordinates. */
export type Outline = (x: number, y: number) => number;

export function circle(radius: number): Outline {
  return (x, y) => Math.hypot(x, y) - radius;
}

/** The square of the distance from (x, y) to the segment a-b. */
function squaredDistanceToSegment(x: number, y: number, a: Point, b: Point): number {
  const edgeX = b[0] - a[0];
  const edgeY = b[1] - a[1];
  const along = ((x - a[0]) * edgeX + (y - a[1]) * edgeY) / (edgeX * edgeX + edgeY * edgeY);
  const nearest = Math.min(1, Math.max(0, along));
  const gapX = x - a[0] - edgeX * nearest;
  const gapY = y - a[1] - edgeY * nearest;
  return gapX * gapX + gapY * gapY;
}

/** A ray from (x, y) to the right crosses the edge a-b: the even-odd rule counts these crossings. */
function rayCrosses(x: number, y: number, a: Point, b: Point): boolean {
  return a[1] > y !== b[1] > y && x < a[0] + ((b[0] - a[0]) * (y - a[1])) / (b[1] - a[1]);
}

export function polygon(corners: readonly Point[]): Outline {
  return (x, y) => {
    let squaredDistance = Number.POSITIVE_INFINITY;
    let inside = false;
    let previous = corners.at(-1)!;
    for (const corner of corners) {
      squaredDistance = Math.min(squaredDistance, squaredDistanceToSegment(x, y, previous, corner));
      if (rayCrosses(x, y, previous, corner)) inside = !inside;
      previous = corner;
    }
    return inside ? -Math.sqrt(squaredDistance) : Math.sqrt(squaredDistance);
  };
}

/** Corners at equal angles around the origin; the radii are taken in turn. */
function corners(count: number, radii: readonly number[]): Point[] {
  return Array.from({ length: count }, (_, index) => {
    const angle = (2 * Math.PI * index) / count - Math.PI / 2;
    const radius = radii[index % radii.length]!;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

export function regularPolygon(count: number, radius: number): Outline {
  return polygon(corners(count, [radius]));
}

export function star(points: number, radius: number, innerRadius: number): Outline {
  return polygon(corners(2 * points, [radius, innerRadius]));
}

/** Two bars of the same size that meet at right angles in their middles. */
export function cross(reach: number, halfWidth: number): Outline {
  const quarter: Point[] = [
    [halfWidth, -reach],
    [halfWidth, -halfWidth],
    [reach, -halfWidth],
  ];
  const turned = [0, 1, 2, 3].flatMap((turns) => quarter.map((point) => quarterTurns(point, turns)));
  return polygon(turned);
}

function quarterTurns([x, y]: Point, turns: number): Point {
  return turns === 0 ? [x, y] : quarterTurns([-y, x], turns - 1);
}

/** A lump of no particular form: a polygon whose corners lie at unequal angles and distances. */
export function lump(random: Random, radius: number): Outline {
  const count = random.whole(5, 8);
  const points = Array.from({ length: count }, (_, index): Point => {
    const angle = (2 * Math.PI * (index + random.between(-0.35, 0.35))) / count;
    const distance = radius * random.between(0.35, 1);
    return [distance * Math.cos(angle), distance * Math.sin(angle)];
  });
  return polygon(points);
}

/** A thin strip along a broken line through the points. */
export function strip(points: readonly Point[], width: number): Outline {
  return (x, y) => {
    let squaredDistance = Number.POSITIVE_INFINITY;
    for (let index = 0; index + 1 < points.length; index++) {
      const segment = squaredDistanceToSegment(x, y, points[index]!, points[index + 1]!);
      squaredDistance = Math.min(squaredDistance, segment);
    }
    return Math.sqrt(squaredDistance) - width / 2;
  };
}

/** A piece of a ring, made of short straight strips. */
export function arc(radius: number, span: number, width: number): Outline {
  const steps = 6;
  const points = Array.from({ length: steps + 1 }, (_, index): Point => {
    const angle = (span * index) / steps - span / 2;
    return [radius * Math.cos(angle) - radius, radius * Math.sin(angle)];
  });
  return strip(points, width);
}

/** The figure turned about its origin and moved to the centre. */
export function placed(outline: Outline, centre: Point, angle: number): Outline {
  const cosine = Math.cos(angle);
  const sine = Math.sin(angle);
  return (x, y) => {
    const shiftedX = x - centre[0];
    const shiftedY = y - centre[1];
    return outline(cosine * shiftedX + sine * shiftedY, cosine * shiftedY - sine * shiftedX);
  };
}
