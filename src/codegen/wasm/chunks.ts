// How the turns of a loop are divided between threads.

/** Elements that are worth a chunk of their own. */
export const chunkWork = 16384;
const mostChunks = 64;

/** Chunks of `size` turns; the last may have fewer. */
export interface Division {
  readonly size: number;
  readonly chunks: number;
}

/** Divides `turns` that touch so many elements each; a chunk begins at a multiple of `grain` turns. */
export function divide(turns: number, elements: number, grain = 1): Division {
  const wanted = Math.max(1, Math.min(mostChunks, Math.floor((turns * elements) / chunkWork)));
  const size = Math.ceil(turns / wanted / grain) * grain;
  return { size, chunks: Math.ceil(turns / size) };
}
