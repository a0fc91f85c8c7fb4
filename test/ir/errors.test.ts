// Texts with an error: the message stands on the offending line, and message and place are both checked.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { forward } from '../../src/ir/forward.js';
import { parseAll } from '../../src/ir/parse.js';
import { failure } from './support.js';

const folder = new URL('../cases/errors/', import.meta.url);
const annotation = /\s*\/\/ error: (RELC\d{4}) (.*)$/;

interface WrongText {
  /** The section with its annotation taken away, all lines before it blank: line numbers are the file's. */
  readonly text: string;
  readonly line: number;
  readonly code: string;
  readonly part: string;
}

/** The sections of a file, separated by `// ----`; each holds one annotation. */
function wrongTexts(file: string): WrongText[] {
  let before = 0;
  return readFileSync(new URL(file, folder), 'utf8')
    .split(/^\/\/ ----\n/m)
    .map((section) => {
      const lines = section.trimEnd().split('\n');
      const annotated = lines.findIndex((line) => annotation.test(line));
      const [, code, part] = annotation.exec(lines[annotated]!)!;
      const plain = lines.map((line) => line.replace(annotation, ''));
      const text = '\n'.repeat(before) + plain.join('\n');
      const wrong = { text, line: before + annotated + 1, code: code!, part: part! };
      before += section.split('\n').length;
      return wrong;
    });
}

for (const file of readdirSync(folder)) {
  describe(`test/cases/errors/${file}`, () => {
    for (const { text, line, code, part } of wrongTexts(file)) {
      it(`line ${line}: ${part}`, () => {
        const error = failure(() => parseAll(text, forward, file));
        expect(error.code, error.message).toBe(code);
        expect(error.message).toContain(`${file}:${line}:`);
        expect(error.message).toContain(part);
      });
    }
  });
}
