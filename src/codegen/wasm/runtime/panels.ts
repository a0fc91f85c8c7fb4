// Weights in panels: 16 columns side by side for all rows, which is how products of matrices read them.

/** Columns of a panel. */
const width = 16;

/**
 * Puts rows of a matrix into its panels, [columns / 16][rows][16].
 * @param first  the number of the first of the rows given
 * @param rows  rows of the whole matrix
 */
export function writePanels(
  target: Float32Array,
  source: Float32Array,
  { first, rows, columns }: { readonly first: number; readonly rows: number; readonly columns: number },
): void {
  const given = source.length / columns;
  for (let row = 0; row < given; row++) {
    for (let column = 0; column < columns; column += width) {
      const to = (column * rows + (first + row) * width) | 0;
      const from = row * columns + column;
      for (let lane = 0; lane < width; lane++) target[to + lane] = source[from + lane]!;
    }
  }
}
