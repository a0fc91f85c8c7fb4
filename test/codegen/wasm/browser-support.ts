// A real browser without a window, and a server of static files: what emitted explainers meet on the web.
import { accessSync, constants, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, extname, join } from 'node:path';

const programs = ['chromium', 'chromium-browser', 'google-chrome'];

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where there is a Chromium: what the variable CHROMIUM names, or one on the PATH. */
export function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = programs.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [process.env.CHROMIUM ?? '', ...paths].find((path) => path !== '' && isProgram(path));
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** What a page may do: run scripts and modules of its own, and make no code from strings. */
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'";

const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export interface Site {
  readonly url: string;
  close(): void;
}

/** Files of the site itself: a page, and a script that a site would have. */
const own: Readonly<Record<string, string>> = {
  '/index.html': '<!doctype html><title>relc</title><script type="module" src="page.js"></script>',
  '/page.js': `
import { load } from './explainer.js';

/** Loads the explainer and explains a picture that Node makes, too. */
globalThis.explained = async (threads) => {
  const told = [];
  globalThis.explainer = await load({ threads, onProgress: (bytes) => told.push(bytes) });
  const picture = Float32Array.from({ length: 64 * 64 * 3 }, (_, index) => ((index * 7919) % 512) / 256 - 1);
  const { relevance, scores, target, logit, start } = await explainer.explain(picture);
  return {
    relevance: [...relevance.data],
    scores: [...scores.data],
    ...{ target, logit, start },
    threads: explainer.threads,
    bytes: told.at(-1),
    isIsolated: crossOriginIsolated,
  };
};

/** What comes of making code from a string. */
try {
  globalThis.fromString = new Function('return "code"')();
} catch (error) {
  globalThis.fromString = error.name;
}
`,
};

/**
 * Serves the files of a folder, and a page that loads the explainer among them.
 * @param isIsolated  whether pages may share memory with threads
 */
export async function serve(folder: string, isIsolated: boolean): Promise<Site> {
  const server: Server = createServer(({ url = '/' }, response) => {
    response.setHeader('Content-Security-Policy', policy);
    if (isIsolated) for (const [name, value] of Object.entries(isolation)) response.setHeader(name, value);
    response.setHeader('Content-Type', types[extname(url)] ?? 'application/octet-stream');
    try {
      response.end(own[url] ?? readFileSync(join(folder, url)));
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
