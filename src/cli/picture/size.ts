// How large a picture file may be: checked on its header, before its pixels are decoded.
import { RelcError } from '../../ir/error.js';

/** Beyond this a header is likelier corrupt (or hostile) than a photograph. */
const pixelLimit = 100e6;

/**
 * @param name  of the file, for messages
 * @throws RelcError RELC5003 for a picture without pixels, or of more than 100 megapixels
 */
export function checkPictureSize(width: number, height: number, name: string): void {
  if (width === 0 || height === 0) {
    throw new RelcError('RELC5003', `${name}: the picture is ${width} x ${height} pixels: it has none.`);
  }
  if (width * height > pixelLimit) {
    throw new RelcError(
      'RELC5003',
      `${name}: the picture is ${width} x ${height} pixels; at most ${pixelLimit / 1e6} megapixels are read.`,
      'scale the picture down first',
    );
  }
}
