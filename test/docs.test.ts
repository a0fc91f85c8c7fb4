// The docs say what the code does: error codes, presets and rules are listed, links lead somewhere.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { misplacedPresets } from '../scripts/families.js';
import { missingBlocks, regenerated } from '../scripts/rule-tables.js';
import { errorCodes } from '../src/ir/error.js';
import { denominatorModes } from '../src/ir/ops/quotient.js';
import { presets, seeds } from '../src/rules/presets.js';
import { ruleTable } from '../src/rules/rules.js';

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe('docs/errors.md', () => {
  const rows = new Map(
    [...read('docs/errors.md').matchAll(/^\| (RELC\d{4}) \| ([^|]+) \|/gm)].map((row) => [row[1], row[2]]),
  );

  it.each(Object.entries(errorCodes))('%s is listed with its title', (code, title) => {
    expect(rows.get(code)?.trim()).toBe(title);
  });

  it('lists nothing else', () => {
    expect([...rows.keys()].sort()).toEqual(Object.keys(errorCodes).sort());
  });
});

describe('docs/rules.md', () => {
  const text = read('docs/rules.md');

  it('has every preset in a family', () => {
    expect(misplacedPresets()).toEqual([]);
  });

  it('has a place for every table', () => {
    expect(missingBlocks(text)).toEqual([]);
  });

  it('has the tables as the code has them (BLESS=1 writes them)', () => {
    if (process.env.BLESS === '1') writeFileSync(join(root, 'docs/rules.md'), regenerated(text));
    else expect(text).toBe(regenerated(text));
  });

  it.each([...presets.keys(), ...Object.keys(ruleTable), ...denominatorModes, ...seeds])(
    '`%s` is explained',
    (name) => {
      expect(text).toContain(`\`${name}\``);
    },
  );
});

describe('links', () => {
  const pages = [
    'README.md',
    ...readdirSync(join(root, 'docs'))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ];

  it.each(pages)('%s leads only to files that exist', (page) => {
    for (const [, target] of read(page).matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      expect(existsSync(join(root, dirname(page), target!)), `${page} → ${target}`).toBe(true);
    }
  });
});
