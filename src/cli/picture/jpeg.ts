// Decoding JPEG files to upright RGB.
import { decode } from 'jpeg-js';
import { RelcError } from '../../ir/error.js';
import { type JpegHeader, readJpegHeader } from './jpeg-header.js';
import type { Picture } from './picture.js';
import { checkPictureSize } from './size.js';

/**
 * Decodes a JPEG file: grey, YCbCr, RGB or Adobe CMYK, 8 bits a sample, sequential or progressive.
 *
 * @param bytes  the whole file, its first marker already seen
 * @param name  of the file, for messages
 * @throws RelcError RELC5003 for a file that is truncated, corrupt or too large, and for the rarer kinds of JPEG
 */
export function decodeJpeg(bytes: Uint8Array, name: string): Picture {
  const header = readJpegHeader(bytes);
  if (header === undefined) {
    throw new RelcError(
      'RELC5003',
      `${name}: the JPEG file has no frame header: it is truncated or corrupt.`,
    );
  }
  checkPictureSize(header.width, header.height, name);
  checkKind(header, name);
  return turnUpright(decodePixels(bytes, header, name), header.orientation);
}

function checkKind(header: JpegHeader, name: string): void {
  const obstacle = obstacleOf(header);
  if (obstacle !== undefined) {
    throw new RelcError(
      'RELC5003',
      `${name}: this kind of JPEG file is not supported: ${obstacle}.`,
      'convert the picture to an ordinary RGB JPEG or PNG first',
    );
  }
}

function obstacleOf({ frameMarker, precision, components, adobeTransform }: JpegHeader): string | undefined {
  if (frameMarker > 0xc2) {
    return `its coding (frame type ${frameMarker - 0xc0}) is neither baseline nor progressive`;
  }
  if (precision !== 8) return `its samples have ${precision} bits; 8 are wanted`;
  if (components === 4 && adobeTransform === undefined) {
    return 'it has 4 components and no Adobe segment to say which colours they are';
  }
  if (![1, 3, 4].includes(components)) return `it has ${components} components; 1, 3 or 4 are wanted`;
  return undefined;
}

function decodePixels(bytes: Uint8Array, header: JpegHeader, name: string): Picture {
  // Without this an RGB file, which only its Adobe segment tells from a YCbCr one, comes out in false colours.
  const colours = header.adobeTransform === 0 ? { colorTransform: false } : {};
  try {
    const { width, height, data } = decode(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      // The size is checked already; the decoder's working memory is near 20 bytes a pixel.
      maxResolutionInMP: Number.POSITIVE_INFINITY,
      maxMemoryUsageInMB: 4096,
      ...colours,
    });
    return { width, height, data };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RelcError(
      'RELC5003',
      `${name}: the JPEG file is truncated or corrupt: ${reason}.`,
      'save or download the picture again',
      { cause: error },
    );
  }
}

/** Undoes the turn and mirroring that an Exif orientation (1 to 8) says the stored picture has. */
function turnUpright(stored: Picture, orientation: number): Picture {
  if (orientation === 1) return stored;
  const { width, height } = stored;
  const transposed = orientation >= 5;
  const mirroredAcross = [2, 3, 7, 8].includes(orientation);
  const mirroredDown = [3, 4, 6, 7].includes(orientation);
  const [uprightWidth, uprightHeight] = transposed ? [height, width] : [width, height];
  const data = new Uint8Array(stored.data.length);
  for (let y = 0; y < uprightHeight; y++) {
    for (let x = 0; x < uprightWidth; x++) {
      const [across, down] = transposed ? [y, x] : [x, y];
      const column = mirroredAcross ? width - 1 - across : across;
      const row = mirroredDown ? height - 1 - down : down;
      const from = 3 * (row * width + column);
      data.set(stored.data.subarray(from, from + 3), 3 * (y * uprightWidth + x));
    }
  }
  return { width: uprightWidth, height: uprightHeight, data };
}
