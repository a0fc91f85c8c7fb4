// Shades: backgrounds of words for light and dark surroundings, and a colour of letters that is readable on each.
import { type Colour, colourOf } from '../picture/colours.js';

/** A background, and letters on it. */
export interface Shade {
  readonly paper: Colour;
  readonly ink: Colour;
}

/** The page at night: what zero is there. */
export const night: Colour = [24, 27, 33];

// Spaced evenly from the page at night, ever lighter and stronger.
const warm: readonly Colour[] = [night, [74, 33, 32], [132, 41, 38], [196, 62, 52], [243, 112, 90]];
const cool: readonly Colour[] = [night, [24, 45, 82], [26, 66, 134], [34, 98, 196], [92, 158, 250]];

/** The relative luminance of a colour, 0..1. @see WCAG 2.2 */
function luminance(colour: Colour): number {
  const [red, green, blue] = colour.map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** How well two colours are told apart, 1..21; text needs 4.5. @see WCAG 2.2 */
export function contrast(a: Colour, b: Colour): number {
  const [darker, lighter] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (lighter + 0.05) / (darker + 0.05);
}

const inks: readonly Colour[] = [
  [0, 0, 0],
  [255, 255, 255],
];

/** Black or white letters, whichever stand out more: at least 4.58 on any paper. */
const inkOn = (paper: Colour): Colour =>
  contrast(paper, inks[0]!) >= contrast(paper, inks[1]!) ? inks[0]! : inks[1]!;

function nightColour(strength: number): Colour {
  const anchors = strength < 0 ? cool : warm;
  const position = Math.min(Math.abs(strength), 1) * (anchors.length - 1);
  const index = Math.min(Math.floor(position), anchors.length - 2);
  const [low, high] = [anchors[index]!, anchors[index + 1]!];
  const mix = (channel: 0 | 1 | 2) =>
    Math.round(low[channel] + (position - index) * (high[channel] - low[channel]));
  return [mix(0), mix(1), mix(2)];
}

/**
 * The shade of a relevance: zero is the page, red is positive, blue negative.
 * @param strength  −1..1; clamped beyond
 */
export function shadeOf(strength: number, surroundings: 'light' | 'dark'): Shade {
  const paper = surroundings === 'light' ? colourOf(strength) : nightColour(strength);
  return { paper, ink: inkOn(paper) };
}
