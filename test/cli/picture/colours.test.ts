// The diverging colour map: its middle and ends, its symmetry and its evenness.
import { describe, expect, it } from 'vitest';
import { colourOf } from '../../../src/cli/picture/colours.js';

type Triple = [number, number, number];

/** Björn Ottosson's OKLab: lightness, green to red, blue to yellow; distances are about those seen. */
function oklab(colour: Triple): Triple {
  const [r, g, b] = colour.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as Triple;
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

const sixteenths = Array.from({ length: 17 }, (_, i) => i / 16);

describe('colourOf', () => {
  it('is white at zero and nowhere else', () => {
    expect(colourOf(0)).toEqual([255, 255, 255]);
    expect(colourOf(-0)).toEqual([255, 255, 255]);
    expect(colourOf(0.02)).not.toEqual([255, 255, 255]);
    expect(colourOf(-0.02)).not.toEqual([255, 255, 255]);
  });

  it('has its ends at 1 and -1, and clamps beyond', () => {
    expect(colourOf(1)).toEqual([163, 19, 39]);
    expect(colourOf(-1)).toEqual([14, 80, 183]);
    expect(colourOf(7)).toEqual(colourOf(1));
    expect(colourOf(Number.NEGATIVE_INFINITY)).toEqual(colourOf(-1));
  });

  it('mixes neighbouring anchors', () => {
    expect(colourOf(1 / 8)).toEqual([253, 227, 218]);
    expect(colourOf(1 / 16)).toEqual([254, 241, 237]);
    expect(colourOf(-15 / 16)).toEqual([20, 92, 196]);
  });

  it('is red above zero and blue below', () => {
    for (const strength of sixteenths.slice(1)) {
      const [red, , blue] = colourOf(strength);
      expect(red).toBeGreaterThan(blue);
      const [coldRed, , coldBlue] = colourOf(-strength);
      expect(coldBlue).toBeGreaterThan(coldRed);
    }
  });

  it('is as light and as strong below zero as above', () => {
    for (const strength of sixteenths) {
      const [warm, cold] = [oklab(colourOf(strength)), oklab(colourOf(-strength))];
      expect(Math.abs(warm[0] - cold[0])).toBeLessThan(0.006);
      expect(Math.abs(Math.hypot(warm[1], warm[2]) - Math.hypot(cold[1], cold[2]))).toBeLessThan(0.006);
    }
  });

  it('takes even steps, ever darker', () => {
    for (const sign of [1, -1]) {
      const labs = sixteenths.map((strength) => oklab(colourOf(sign * strength)));
      const steps = labs.slice(1).map((lab, i) => Math.hypot(...lab.map((each, k) => each - labs[i]![k]!)));
      expect(Math.max(...steps) / Math.min(...steps)).toBeLessThan(1.35);
      for (const [i, lab] of labs.slice(1).entries()) expect(lab[0]).toBeLessThan(labs[i]![0]);
    }
  });
});
