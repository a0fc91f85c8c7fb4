// The text of a module, for readers: written by wabt, which is only looked for when it is asked for.
import { RelcError } from '../../ir/error.js';

/** What modules use beyond the first version of WebAssembly. */
const features = { simd: true, threads: true, bulk_memory: true, relaxed_simd: true };

async function loadWabt() {
  try {
    return await (await import('wabt')).default();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new RelcError(
      'RELC5005',
      'wabt, which writes WebAssembly as text, is not installed',
      'npm install wabt',
      {
        cause: error,
      },
    );
  }
}

/** A module as text (WAT). @throws RelcError RELC5005 where wabt is not installed */
export async function wasmText(bytes: Uint8Array): Promise<string> {
  const wabt = await loadWabt();
  const module = wabt.readWasm(bytes, { ...features, readDebugNames: true });
  try {
    module.generateNames();
    module.applyNames();
    return module.toText({ foldExprs: false, inlineExport: false });
  } finally {
    module.destroy();
  }
}
