// The diverging colour map of relevance: blue below zero, white at zero, red above.

/** Red, green and blue, each an integer 0..255. */
export type Colour = readonly [red: number, green: number, blue: number];

// Nine anchors a side, spaced evenly by distance in OKLab. Lightness falls from 1 to 0.46 and is the same on
// both sides; chroma, the same too, rises to 0.178 as far as both hues allow it in sRGB; hue drifts from
// 42 to 22 degrees (red) and from 244 to 260 degrees (blue).
const warm: readonly Colour[] = [
  [255, 255, 255],
  [253, 227, 218],
  [250, 198, 182],
  [246, 168, 149],
  [241, 137, 117],
  [235, 104, 86],
  [215, 75, 66],
  [190, 48, 51],
  [163, 19, 39],
];
const cool: readonly Colour[] = [
  [255, 255, 255],
  [217, 236, 254],
  [179, 216, 252],
  [142, 196, 251],
  [105, 175, 250],
  [66, 152, 249],
  [40, 128, 233],
  [25, 104, 209],
  [14, 80, 183],
];

/**
 * The colour of a value: white at 0, ever deeper red to 1, ever deeper blue to -1, equally strong on both sides.
 *
 * @param value  -1..1; clamped beyond
 */
export function colourOf(value: number): [red: number, green: number, blue: number] {
  const anchors = value < 0 ? cool : warm;
  const position = Math.min(Math.abs(value), 1) * (anchors.length - 1);
  const index = Math.min(Math.floor(position), anchors.length - 2);
  const [low, high] = [anchors[index]!, anchors[index + 1]!];
  const mix = (channel: 0 | 1 | 2) =>
    Math.round(low[channel] + (position - index) * (high[channel] - low[channel]));
  return [mix(0), mix(1), mix(2)];
}
