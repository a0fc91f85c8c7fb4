// The text of a module: what wabt writes is read back, and where there is no wabt an error says how to get it.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { expect, it } from 'vitest';
import wabt from 'wabt';
import { fuse } from '../../../src/codegen/kernels/fuse.js';
import { planKernels } from '../../../src/codegen/kernels/plan.js';
import { wasmProgram } from '../../../src/codegen/wasm/module.js';
import { wasmText } from '../../../src/codegen/wasm/text.js';
import { forward } from '../../../src/ir/forward.js';
import { convolutions } from './nets.js';

it('is the module: compiled again it has the same bytes', async () => {
  const { bytes } = wasmProgram(planKernels(fuse(convolutions(8, 20).graph, forward, 1)));
  const text = await wasmText(bytes);
  expect(text).toContain('(import "env" "memory"');
  const module = (await wabt()).parseWat('explainer.wat', text, { simd: true, threads: true });
  const again = module.toBinary({}).buffer;
  expect(again.length).toBeLessThanOrEqual(bytes.length);
  expect(await wasmText(again)).toBe(text);
});

it('RELC5005: where wabt is not installed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'relc-text-'));
  for (const path of ['codegen/wasm/text', 'ir/error']) {
    const source = readFileSync(fileURLToPath(new URL(`../../../src/${path}.ts`, import.meta.url)), 'utf8');
    const target = join(folder, `${path}.js`);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(
      target,
      ts.transpile(source, { module: ts.ModuleKind.ES2022, target: ts.ScriptTarget.ES2022 }),
    );
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const script = `import { wasmText } from './codegen/wasm/text.js';
    await wasmText(new Uint8Array(8)).catch((error) => console.log(error.message));`;
  writeFileSync(join(folder, 'run.js'), script);
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'run.js')]);
  expect(stdout).toMatch(/^RELC5005: wabt, .* is not installed\n {2}help: npm install wabt/);
});
