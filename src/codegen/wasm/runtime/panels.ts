// Weights in panels: 16 columns side by side for all rows, which is how products of matrices read them.

/** Bytes of a row of a panel: 16 columns of four bytes. */
const rowBytes = 64;

/** Rows and columns of a matrix that lies in panels. */
export interface PanelShape {
  readonly rows: number;
  readonly columns: number;
}

/**
 * Puts a part of a row-major matrix into its panels, [columns / 16][rows][16].
 * @param target  the bytes of all panels
 * @param part  bytes of the matrix from byte `offset` on, of any length
 */
export function writePanels(
  target: Uint8Array,
  part: Uint8Array,
  offset: number,
  { rows, columns }: PanelShape,
): void {
  for (let done = 0; done < part.length; ) {
    const position = offset + done;
    const row = Math.floor(position / (4 * columns));
    const inRow = position - row * 4 * columns;
    const panel = Math.floor(inRow / rowBytes);
    const inPanel = inRow - panel * rowBytes;
    const length = Math.min(rowBytes - inPanel, part.length - done);
    target.set(part.subarray(done, done + length), (panel * rows + row) * rowBytes + inPanel);
    done += length;
  }
}
