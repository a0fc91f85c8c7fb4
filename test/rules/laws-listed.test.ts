// docs/laws.md lists the laws that are tested, by label, and no others.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const here = new URL('./', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, here), 'utf8');
const number = (label: string) => Number(label.slice(1));

it('every law is listed once, and tested', () => {
  const listed = [...read('../../docs/laws.md').matchAll(/^\| (L\d+) \|/gm)].map(([, label]) => label!);
  const tests = readdirSync(here).filter((name) => name.endsWith('.test.ts'));
  const tested = new Set(
    tests.flatMap((name) => [...read(name).matchAll(/'\((L\d+)\) /g)].map(([, label]) => label!)),
  );
  const inOrder = (labels: Iterable<string>) => [...labels].sort((a, b) => number(a) - number(b));
  expect(inOrder(listed)).toEqual(inOrder(tested));
  expect(inOrder(listed).map(number)).toEqual([...listed.keys()].map((index) => index + 1));
});
