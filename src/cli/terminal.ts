// What commands print: colours where wanted, tables, times, and progress on standard error.

/** Where a command writes; tests pass their own. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Writes the last line of standard error anew; left out where that is no screen. */
  status?(text: string): void;
  readonly colour: boolean;
  readonly columns: number;
}

/** The process's own terminal. `NO_COLOR` and `FORCE_COLOR` are honoured. */
export function processTerminal(): Terminal {
  const { env, stdout, stderr } = process;
  // Who reads may stop early, as head does
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const wanted = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0';
  return {
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void stderr.write(`${text}\n`),
    ...(stderr.isTTY === true ? { status: (text) => void stderr.write(`\r\u001b[2K${text}`) } : {}),
    colour: (env.NO_COLOR ?? '') === '' && (wanted || stdout.isTTY === true),
    // A screen of unknown size says 0
    columns: stdout.columns || stderr.columns || 80,
  };
}

const codes = { bold: 1, dim: 2, red: 31, green: 32, cyan: 36 } as const;

/** `text` in a style, or as it is where colour is off. */
export function styled(terminal: Terminal, style: keyof typeof codes, text: string): string {
  return terminal.colour ? `\u001b[${codes[style]}m${text}\u001b[0m` : text;
}

const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uFF01-\uFF60]/u;

/** How many cells a text takes: wide scripts and emoji take two a character, marks none. */
export function widthOf(text: string): number {
  return [...text.normalize('NFC')].reduce(
    (width, character) => width + (/\p{M}/u.test(character) ? 0 : wide.test(character) ? 2 : 1),
    0,
  );
}

function padded(cell: string, width: number, isNumber: boolean): string {
  const space = ' '.repeat(width - widthOf(cell));
  return isNumber ? space + cell : cell + space;
}

/** Rows with columns padded to equal width; columns whose cells are all numbers stand right. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => widthOf(row[column] ?? ''))),
  );
  const numeric = widths.map((_, column) =>
    rows.slice(1).every((row) => /^[-+]?[\d.,]*(e[-+]?\d+)?( %)?$/.test(row[column] ?? '')),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => padded(cell, widths[column]!, numeric[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `12 ms`, `3.4 s` */
export function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

const barWidth = 24;

/** Tells how far a task is, and what it is at. */
export type Progress = (done: number, all: number, note?: string) => void;

/** Draws how far a long task is, on a screen; the line is gone when all is done. */
export function progressBar(terminal: Terminal, task: string): Progress {
  return (done, all, note) => {
    const filled = Math.round((barWidth * done) / all);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
    const line = `${task} ${bar} ${done}/${all}${note === undefined ? '' : ` · ${note}`}`;
    // A line that is broken in two cannot be written anew
    terminal.status?.(done === all ? '' : line.slice(0, terminal.columns - 1));
  };
}

/** About how long: `42 s`, `7 min`, `2 h 5 min`. */
export function timeText(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Times the phases of a command. */
export class Stopwatch {
  readonly phases: [name: string, milliseconds: number][] = [];

  async time<Result>(name: string, action: () => Result | Promise<Result>): Promise<Result> {
    const start = performance.now();
    const result = await action();
    this.phases.push([name, performance.now() - start]);
    return result;
  }

  /** All phases together. */
  total(): string {
    return duration(this.phases.reduce((sum, [, milliseconds]) => sum + milliseconds, 0));
  }

  print(): string {
    return this.phases.map(([name, milliseconds]) => `${name} ${duration(milliseconds)}`).join(' · ');
  }
}
