// The page of a text: whole, escaped, readable by day and by night, and nothing that it needs from elsewhere.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { html, when } from '../../../src/cli/text/html.js';
import { shadeClass } from '../../../src/cli/text/page-style.js';
import { contrast, shadeOf } from '../../../src/cli/text/shades.js';
import { findChromium } from '../../codegen/wasm/browser-support.js';
import { relc, scratch } from '../support.js';
import { wordPiece, writeTextModel, writeTokenizer } from './support.js';

const folder = scratch();
const model = writeTextModel(join(folder, 'model'));
/** No special tokens, which have relevance of their own. */
const plain = writeTokenizer(join(folder, 'plain'), { ...wordPiece, post_processor: null });

async function pageFor(text: string, ...args: string[]): Promise<string> {
  const path = join(folder, 'why.html');
  const { code, err } = await relc('explain', model, '--text', text, '-o', path, ...args);
  expect(code, err).toBe(0);
  return readFileSync(path, 'utf8');
}

const alone = new Set(['meta', 'br']);

/** Tags that are not closed, or close what is not open. */
function unbalanced(page: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  for (const [, slash, name] of page
    .replace(/<style>[^<]*<\/style>/, '')
    .matchAll(/<(\/?)([a-z][a-z0-9]*)/g)) {
    if (alone.has(name!)) continue;
    if (slash === '') open.push(name!);
    else if (open.pop() !== name) wrong.push(name!);
  }
  return [...wrong, ...open];
}

describe('markup', () => {
  it('escapes texts and keeps markup', () => {
    const inner = html`<b>${'a < b & "c" \u0007'}</b>`;
    expect(html`<p title="${"it's"}">${[inner, inner]}${3}</p>`.markup).toBe(
      `<p title="it&#39;s">${'<b>a &lt; b &amp; &quot;c&quot; \uFFFD</b>'.repeat(2)}3</p>`,
    );
    expect(when(false, () => inner).markup).toBe('');
  });
});

describe('shades', () => {
  const strengths = Array.from({ length: 201 }, (_, index) => (index - 100) / 100);

  it.each(['light', 'dark'] as const)('are readable in %s surroundings', (surroundings) => {
    const least = strengths.map((strength) => {
      const { paper, ink } = shadeOf(strength, surroundings);
      return contrast(paper, ink);
    });
    expect(Math.min(...least)).toBeGreaterThan(4.5);
  });

  it('are the same at zero and far from the same at both ends', () => {
    for (const surroundings of ['light', 'dark'] as const) {
      const [low, zero, high] = [-1, 0, 1].map((strength) => shadeOf(strength, surroundings).paper);
      for (const end of [low!, high!]) expect(contrast(end, zero!)).toBeGreaterThan(3);
      expect(low![2]).toBeGreaterThan(low![0]);
      expect(high![0]).toBeGreaterThan(high![2]);
    }
  });

  it('have classes from −1 to 1, and the last ones beyond', () => {
    expect([0, 0.01, 0.5, 1, 9, -0.05, -2].map(shadeClass)).toEqual([
      'z',
      'z',
      'p10',
      'p20',
      'p20',
      'n1',
      'n20',
    ]);
  });
});

describe('a page', () => {
  it('has balanced tags, no script, and asks for nothing', async () => {
    const page = await pageFor('A film, <b>not</b> dull & "wonderful"!', '--class', 'good,bad');
    expect(unbalanced(page)).toEqual([]);
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(|https?:|src=|href=/);
    expect(page).not.toContain('<b>');
  });

  it('shows words as they are written, in the shade of their relevance, with their pieces', async () => {
    const page = await pageFor("It's Wonderful,\nnot dull", '--class', 'good');
    const text = /<p class="text"[^>]*>(.*?)<span class="hint"/s.exec(page)![1]!;
    expect(text.replaceAll(/ data-tip="[^"]*"/g, '')).toBe(
      [
        '<span class="w p3 special">[CLS]</span>',
        ' <span class="w z joined">It</span>',
        '<span class="w z joins joined">&#39;</span>',
        '<span class="w z joins">s</span>',
        ' <span class="w p20 joined">Wonderful</span>',
        '<span class="w z joins">,</span><br>\n',
        '<span class="w n10">not</span>',
        ' <span class="w n20">dull</span>',
        ' <span class="w z special">[SEP]</span>',
      ].join(''),
    );
    expect(text).toContain('Wonderful  +3.00 · −300.0 % of f(x) · wonder +2.00, ##ful +1.00');
  });

  it('has one scale for all classes, and one for each unit of relevance', async () => {
    const scales = (page: string) => page.match(/class="legend"/g)!.length;
    expect(scales(await pageFor('not dull', '--class', 'good,bad'))).toBe(1);
    expect(scales(await pageFor('not dull', '-r', 'epsilon,epsilon-plus'))).toBe(1);
    expect(scales(await pageFor('not dull', '-r', 'epsilon,gradient'))).toBe(2);
  });

  it('says where no word has any relevance', async () => {
    const page = await pageFor(
      'a film',
      '--against',
      'bad',
      '--class',
      'good',
      '--length',
      '4',
      '--tokenizer',
      plain,
    );
    expect(page).toContain('No word has relevance.');
  });
});

describe.skipIf(findChromium() === undefined)('a page in a browser (needs Chromium)', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: findChromium()!, args: ['--no-sandbox'] });
  }, 60_000);
  afterAll(() => browser?.close());

  it.each(['light', 'dark'] as const)(
    'is as wide as a phone and shows the word pointed at (%s)',
    async (colorScheme) => {
      const page = await browser.newPage({ viewport: { width: 360, height: 700 }, colorScheme });
      const asked: string[] = [];
      page.on('request', (request) => void asked.push(request.url()));
      await page.setContent(await pageFor('a wonderful film, not dull', '--class', 'good,bad'));
      expect(asked.filter((url) => !url.startsWith('about:'))).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      await page.hover('text=wonderful');
      const tip = "getComputedStyle(document.querySelector('.w:hover'), '::after').visibility";
      expect(await page.evaluate(tip)).toBe('visible');
      await page.close();
    },
  );
});
