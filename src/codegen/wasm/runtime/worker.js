// A helping thread: runs the module on the memory of all threads and computes chunks until it is told to end.

/**
 * What a thread is sent to begin with.
 * @typedef {object} Start
 * @property {WebAssembly.Module} module
 * @property {WebAssembly.Memory} memory  the memory of all threads
 * @property {number} scratch  address of the memory that this thread alone uses
 * @property {number} failed  address of the word that tells of failures
 * @property {number} done  address of the word that counts chunks
 */

/**
 * The other end: of Node's worker_threads, or of a Web Worker.
 * @typedef {object} Port
 * @property {((event: { data: Start }) => void) | null} onmessage
 * @property {(message: { ready: true } | { error: string }) => void} postMessage
 * @property {() => void} close
 */

/** More than any step has chunks, and little enough that all threads may add it. */
const beyondAllChunks = 2 ** 24;

const threads = globalThis.process?.getBuiltinModule?.('node:worker_threads');
const port = /** @type {Port} */ (/** @type {unknown} */ (threads?.parentPort ?? globalThis));

/** @param {Start} start */
async function begin({ module, memory, scratch, failed, done }) {
  const instance = await WebAssembly.instantiate(module, { env: { memory } });
  const exports = /** @type {{ work: () => void, scratch: { value: number } }} */ (
    /** @type {unknown} */ (instance.exports)
  );
  exports.scratch.value = scratch;
  port.postMessage({ ready: true });
  // From another task: the message leaves before this thread blocks
  setTimeout(() => {
    try {
      exports.work();
    } catch {
      // The main thread waits for this chunk: it goes on, and finds what happened
      const words = new Int32Array(memory.buffer);
      Atomics.store(words, failed / 4, -1);
      Atomics.add(words, done / 4, beyondAllChunks);
    }
    port.close();
  }, 0);
}

port.onmessage = (/** @type {{ data: Start }} */ { data }) => {
  begin(data).catch((error) => port.postMessage({ error: String(error) }));
};
