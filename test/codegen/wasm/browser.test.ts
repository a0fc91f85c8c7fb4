// Emitted explainers in a real browser, from a static server, under a policy that forbids code from strings.
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compile, type Explainer, emit } from '../../../src/index.js';
import { useBackend } from '../support.js';
import { findChromium, type Site, serve } from './browser-support.js';
import { written } from './emitted.js';

const shapes = fileURLToPath(new URL('../../../examples/shapes/model/model.json', import.meta.url));
const executablePath = findChromium();
const title = executablePath === undefined ? 'in a browser (skipped: no Chromium)' : 'in a browser';

/** Numbers that the page makes, too. */
const picture = () =>
  Float32Array.from({ length: 64 * 64 * 3 }, (_, index) => ((index * 7919) % 512) / 256 - 1);

interface Told {
  readonly threads: number;
}

/** Has the page load the explainer and explain the picture. */
const explained = (page: Page, threads: number) => page.evaluate<Told>(`explained(${threads})`);

describe.skipIf(executablePath === undefined)(title, () => {
  let browser: Browser;
  let explainer: Explainer;
  let folder: string;
  let bytes: number;
  beforeAll(async () => {
    await useBackend('cpu');
    explainer = await compile(shapes, { target: 'wasm', threads: 1 });
    const files = await emit(explainer, 'wasm');
    bytes = files['weights.safetensors']!.length;
    folder = written(files);
    browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    explainer?.dispose();
  });

  /** A page of a site, and what it complains of. */
  async function opened(isIsolated: boolean): Promise<{ site: Site; page: Page; complaints: string[] }> {
    const site = await serve(folder, isIsolated);
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (!message.location().url.endsWith('favicon.ico')) complaints.push(message.text());
    });
    await page.goto(`${site.url}/index.html`);
    await page.waitForFunction('globalThis.explained !== undefined');
    return { site, page, complaints };
  }

  it.each([
    ['alone, where pages may not share memory', false, 4, 1],
    ['alone, where nothing else is asked for', true, 1, 1],
    ['on threads, where pages are isolated', true, 3, 3],
  ])('explains %s, bit by bit as Node does', async (_, isIsolated, asked, threads) => {
    const { site, page, complaints } = await opened(isIsolated);
    const told = await explained(page, asked);
    const { relevance, scores, target, logit, start } = await explainer.explain(picture());
    expect(told).toEqual({
      ...{ target, logit, start, isIsolated, threads, bytes },
      relevance: [...relevance.data],
      scores: [...scores.data],
    });
    expect(page.workers().length).toBe(threads - 1);
    expect(complaints).toEqual([]);
    await page.evaluate('explainer.dispose()');
    await expect.poll(() => page.workers().length).toBe(0);
    const after = page.evaluate('explainer.explain([1])');
    await expect(after).rejects.toThrow('RELC4004');
    await page.close();
    site.close();
  });

  it('RELC4010: where worker.js cannot be had; alone it runs', async () => {
    const { site, page } = await opened(true);
    await page.route('**/worker.js', (route) => route.abort());
    await expect(explained(page, 2)).rejects.toThrow(/RELC4010: threads could not be started/);
    expect((await explained(page, 1)).threads).toBe(1);
    await page.close();
    site.close();
  });

  it('RELC5002: where the weights cannot be had', async () => {
    const { site, page } = await opened(false);
    await page.route('**/weights.safetensors', (route) => route.fulfill({ status: 404 }));
    await expect(explained(page, 1)).rejects.toThrow(
      /RELC5002: .*weights\.safetensors .*the server says 404/,
    );
    await page.close();
    site.close();
  });

  it('forbids code from strings: the policy is at work', async () => {
    const { site, page } = await opened(false);
    expect(await page.evaluate('fromString')).toBe('EvalError');
    await page.close();
    site.close();
  });
});
