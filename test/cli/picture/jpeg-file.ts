// Builds small JPEG files whose 8 x 8 blocks are each of one value, for the decoder's tests.

export interface JpegSpecification {
  width: number;
  height: number;
  /** For each component the value 0..255 of each block, row-major. */
  components: readonly (readonly number[])[];
  /** 0xC0 baseline (the default), 0xC2 progressive, or others. */
  frameMarker?: number;
  precision?: number;
  adobeTransform?: number;
  orientation?: Orientation;
  /** Bytes between the start marker and the frame, segments or not. */
  inserted?: readonly number[];
}

/** Exif's orientation, 1 to 8, in one of the two byte orders. */
export interface Orientation {
  value: number;
  littleEndian: boolean;
}

export function segment(marker: number, body: readonly number[]): number[] {
  const length = body.length + 2;
  return [0xff, marker, length >> 8, length & 255, ...body];
}

export function characters(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

/** One constant factor, 8, makes the first coefficient of a block its mean's distance from 128. */
const quantization = segment(0xdb, [0, ...new Array<number>(64).fill(8)]);

/** The table of first coefficients: the sizes 0 to 8, four bits each. */
const firstTable = segment(0xc4, [
  0x00,
  0,
  0,
  0,
  9,
  ...new Array<number>(12).fill(0),
  0,
  1,
  2,
  3,
  4,
  5,
  6,
  7,
  8,
]);

/** The table of further coefficients: "no more" only, as the bit 0. */
const furtherTable = segment(0xc4, [0x10, 1, ...new Array<number>(15).fill(0), 0]);

export function exif({ value, littleEndian }: Orientation): number[] {
  const [short, long] = [
    (number: number) => (littleEndian ? [number, 0] : [0, number]),
    (number: number) => (littleEndian ? [number, 0, 0, 0] : [0, 0, 0, number]),
  ];
  const start = characters(littleEndian ? 'II' : 'MM');
  // Two entries: the resolution's unit, which must be passed over, and the orientation.
  const other = [...(littleEndian ? [0x28, 1] : [1, 0x28]), ...short(3), ...long(1), ...short(2), 0, 0];
  const entry = [...(littleEndian ? [0x12, 1] : [1, 0x12]), ...short(3), ...long(1), ...short(value), 0, 0];
  const tiff = [...start, ...short(42), ...long(8), ...short(2), ...other, ...entry, ...long(0)];
  return segment(0xe1, [...characters('Exif\0\0'), ...tiff]);
}

function differenceBits(difference: number): string {
  const size = difference === 0 ? 0 : Math.floor(Math.log2(Math.abs(difference))) + 1;
  const bits = difference < 0 ? difference + 2 ** size - 1 : difference;
  return size.toString(2).padStart(4, '0') + (size === 0 ? '' : bits.toString(2).padStart(size, '0'));
}

function scanOf(components: readonly (readonly number[])[], progressive: boolean): number[] {
  const previous = components.map(() => 128);
  let bits = '';
  for (let block = 0; block < components[0]!.length; block++) {
    for (const [index, values] of components.entries()) {
      bits += differenceBits(values[block]! - previous[index]!) + (progressive ? '' : '0');
      previous[index] = values[block]!;
    }
  }
  const bytes = (bits.padEnd(Math.ceil(bits.length / 8) * 8, '1').match(/.{8}/g) ?? []).map((byte) =>
    Number.parseInt(byte, 2),
  );
  return bytes.flatMap((byte) => (byte === 0xff ? [0xff, 0] : [byte]));
}

export function jpegFile(specification: JpegSpecification): Uint8Array {
  const { width, height, components, frameMarker = 0xc0, precision = 8 } = specification;
  const { adobeTransform, orientation, inserted = [] } = specification;
  const size = [height >> 8, height & 255, width >> 8, width & 255];
  const progressive = frameMarker === 0xc2;
  const frame = [precision, ...size, components.length, ...components.flatMap((_, i) => [i + 1, 0x11, 0])];
  const scan = [components.length, ...components.flatMap((_, i) => [i + 1, 0]), 0, progressive ? 0 : 63, 0];
  return Uint8Array.from([
    ...[0xff, 0xd8],
    ...inserted,
    ...(orientation === undefined ? [] : exif(orientation)),
    ...(adobeTransform === undefined
      ? []
      : segment(0xee, [...characters('Adobe'), 0, 100, 0, 0, 0, 0, adobeTransform])),
    ...quantization,
    ...segment(frameMarker, frame),
    ...firstTable,
    ...furtherTable,
    ...segment(0xda, scan),
    ...scanOf(components, progressive),
    ...[0xff, 0xd9],
  ]);
}
