// Text in columns, amounts in units a person reads: what the dumps of kernels and plans share.

/** Thousands, then millions, and so on. */
function scaled(amount: number, units: readonly string[]): string {
  let [value, unit] = [amount, 0];
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`.trimEnd();
}

/** `38.5 MB` */
export const printBytes = (bytes: number): string => scaled(bytes, ['B', 'kB', 'MB', 'GB']);

/** `464.8 M` */
export const printCount = (count: number): string => scaled(count, ['', 'k', 'M', 'G', 'T']);

/** `1 kernel`, `12 kernels` */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** `3 map, 1 pad`: how often each word stands in a list, the most frequent first. */
export function tally(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([word, count]) => `${count} ${word}`)
    .join(', ');
}

/** Rows under a heading, columns padded to one width; those named in `right` end where their heading ends. */
export function columns(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  right: ReadonlySet<string>,
): string[] {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const cell = (text: string, column: number) =>
    right.has(heading[column]!) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!);
  return all.map((row) => `  ${row.map(cell).join('  ')}`.trimEnd());
}

/** Parts of a text that a line may end after: a name, arguments and factors, but not the indices of an element. */
function pieces(text: string): string[] {
  const found: string[] = [];
  let [depth, begin] = [0, 0];
  for (let place = 0; place < text.length; place++) {
    const character = text[place]!;
    if ('[{'.includes(character)) depth++;
    if (']}'.includes(character)) depth--;
    if (depth > 0 || !breaks.some((mark) => text.startsWith(mark, place))) continue;
    const end = place + (character === ',' ? 2 : character === ' ' && text[place + 1] === '=' ? 3 : 1);
    found.push(text.slice(begin, end));
    begin = end;
  }
  return [...found, text.slice(begin)];
}

const breaks = [', ', ' · ', ' = '];
const mostColumns = 110;
/** What is shorter stays on its line all the same: the 0 of a max. */
const fewestColumns = 12;

/** A text behind a label, on as many lines as it takes; those after the first begin under it, or `further` right. */
export function labelled(label: string, text: string, further = 0): string[] {
  const indent = ' '.repeat(label.length + further);
  const lines: string[] = [];
  let line = '';
  for (const piece of pieces(text)) {
    const reach = label.length + line.length + piece.trimEnd().length;
    if (line !== '' && reach > mostColumns && piece.trim().length > fewestColumns) {
      lines.push(line);
      line = '';
    }
    line += piece;
  }
  return [...lines, line].map((each, index) => `${index === 0 ? label : indent}${each.trim()}`);
}
