// Bytes of a WebAssembly binary: integers in LEB128, floats, names, and ropes of code that are joined once.

/** Code as nested lists of bytes: cheap to compose, flattened when the module is written. */
export type Code = readonly (number | Code)[];

/** An unsigned integer in LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}

/** A signed 32-bit integer in LEB128. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
      bytes.push(low);
      return bytes;
    }
    bytes.push(low | 0x80);
  }
}

const scratch = new DataView(new ArrayBuffer(8));

export function float32(value: number): number[] {
  scratch.setFloat32(0, value, true);
  return Array.from({ length: 4 }, (_, index) => scratch.getUint8(index));
}

export function float64(value: number): number[] {
  scratch.setFloat64(0, value, true);
  return Array.from({ length: 8 }, (_, index) => scratch.getUint8(index));
}

/** A name in UTF-8 behind its length. */
export function text(name: string): Code {
  const bytes = [...new TextEncoder().encode(name)];
  return [...unsigned(bytes.length), bytes];
}

/** Items behind their count. */
export const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items];

export function byteLength(code: Code): number {
  let length = 0;
  for (const part of code) length += typeof part === 'number' ? 1 : byteLength(part);
  return length;
}

/** Code behind its length in bytes. */
export const sized = (code: Code): Code => [...unsigned(byteLength(code)), code];

/** All bytes of a rope. */
export function flatten(code: Code): Uint8Array {
  const bytes = new Uint8Array(byteLength(code));
  let position = 0;
  const write = (part: Code): void => {
    for (const item of part) {
      if (typeof item === 'number') bytes[position++] = item;
      else write(item);
    }
  };
  write(code);
  return bytes;
}
