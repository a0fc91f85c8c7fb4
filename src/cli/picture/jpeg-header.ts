// What the segments ahead of a JPEG's scan say: the frame, Adobe's colour transform, Exif's orientation.

/** The part of a JPEG file's header that decoding depends on. */
export interface JpegHeader {
  /** 0xC0 baseline, 0xC1 extended, 0xC2 progressive; others are rarer kinds (lossless, arithmetic). */
  readonly frameMarker: number;
  /** Bits a sample. */
  readonly precision: number;
  readonly width: number;
  readonly height: number;
  /** 1 grey, 3 colour, 4 ink. */
  readonly components: number;
  /** Adobe's APP14: 0 none (RGB or CMYK), 1 YCbCr, 2 YCCK; undefined where the file has no such segment. */
  readonly adobeTransform: number | undefined;
  /** Exif's orientation, 1 (upright) to 8. */
  readonly orientation: number;
}

interface Segment {
  readonly marker: number;
  readonly body: DataView;
}

const startOfScan = 0xda;

/** The segments ahead of the first scan; bytes that are no marker are skipped, as decoders do. */
function* segmentsOf(bytes: Uint8Array): Generator<Segment> {
  let offset = 2;
  while (offset + 4 <= bytes.length) {
    const marker = bytes[offset + 1]!;
    if (bytes[offset] !== 0xff || marker === 0xff || marker === 0) {
      offset += 1;
      continue;
    }
    if (marker === startOfScan) return;
    const length = (bytes[offset + 2]! << 8) | bytes[offset + 3]!;
    const end = Math.min(offset + 2 + length, bytes.length);
    if (length >= 2) {
      yield { marker, body: new DataView(bytes.buffer, bytes.byteOffset + offset + 4, end - offset - 4) };
    }
    offset += 2 + Math.max(length, 2);
  }
}

function isFrame(marker: number): boolean {
  const tables = [0xc4, 0xc8, 0xcc];
  return marker >= 0xc0 && marker <= 0xcf && !tables.includes(marker);
}

function startsWith(body: DataView, text: string): boolean {
  if (body.byteLength < text.length) return false;
  for (let i = 0; i < text.length; i++) {
    if (body.getUint8(i) !== text.charCodeAt(i)) return false;
  }
  return true;
}

/** The orientation in an Exif segment; 1 (upright) where it says none or is malformed. */
function orientationOf(body: DataView): number {
  const tiff = 6;
  if (body.byteLength < tiff + 8) return 1;
  const little = body.getUint16(tiff) === 0x4949;
  const directory = tiff + body.getUint32(tiff + 4, little);
  if (directory + 2 > body.byteLength) return 1;
  const count = body.getUint16(directory, little);
  for (let i = 0; i < count; i++) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > body.byteLength) return 1;
    if (body.getUint16(entry, little) !== 0x0112) continue;
    const value = body.getUint16(entry + 8, little);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/**
 * Reads a JPEG file's header.
 *
 * @param bytes  the file, its first marker already seen
 * @returns undefined where no frame header is found ahead of the scan
 */
export function readJpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  let frame: Omit<JpegHeader, 'adobeTransform' | 'orientation'> | undefined;
  let adobeTransform: number | undefined;
  let orientation = 1;
  for (const { marker, body } of segmentsOf(bytes)) {
    if (isFrame(marker) && body.byteLength >= 6) {
      frame = {
        frameMarker: marker,
        precision: body.getUint8(0),
        height: body.getUint16(1),
        width: body.getUint16(3),
        components: body.getUint8(5),
      };
    } else if (marker === 0xee && body.byteLength >= 12 && startsWith(body, 'Adobe')) {
      adobeTransform = body.getUint8(11);
    } else if (marker === 0xe1 && startsWith(body, 'Exif\0\0')) {
      orientation = orientationOf(body);
    }
  }
  return frame && { ...frame, adobeTransform, orientation };
}
