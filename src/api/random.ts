// Seeded random numbers: the same ones for the same seed, on every machine.

/** Numbers in [0, 1): the generator mulberry32, with 32 bits of state. */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Numbers of the normal distribution with mean 0 and variance 1, by Box and Muller (1958). */
export function normals(seed: number): () => number {
  const next = uniforms(seed);
  return () => {
    // 1 − u lies in (0, 1]: its logarithm is finite
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    return radius * Math.cos(2 * Math.PI * next());
  };
}
