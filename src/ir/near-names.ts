// Near names: what a user may have meant by a word that is not known.

/** The number of letters to insert, delete or replace to make one word of another. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (const [row, letter] of [...a].entries()) {
    const current = [row + 1];
    for (let column = 0; column < b.length; column++) {
      const replaced = previous[column]! + (letter === b[column] ? 0 : 1);
      current.push(Math.min(replaced, previous[column + 1]! + 1, current[column]! + 1));
    }
    previous = current;
  }
  return previous.at(-1)!;
}

/** The known names that `word` is a part of, holds, or is a few letters from, nearest first; all of them if none is near. */
export function nearNames(word: string, known: readonly string[]): readonly string[] {
  const wanted = word.toLowerCase();
  const allowed = Math.floor(wanted.length / 3);
  const near = known
    .map((name): [string, number] => {
      const plain = name.toLowerCase();
      const isLong = Math.min(wanted.length, plain.length) > 2;
      const isPart = isLong && (plain.includes(wanted) || wanted.includes(plain));
      return [name, isPart ? 0 : distance(wanted, plain)];
    })
    .filter(([, away]) => away <= allowed)
    .sort(([, a], [, b]) => a - b)
    .map(([name]) => name);
  return near.length > 0 ? near : known;
}
