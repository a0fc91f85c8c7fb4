// Helping threads: each runs the module on the memory of all, and takes chunks of the step that is running.
import { control } from '../layout.js';
import { ExplainerError } from './error.js';
import { startThread, type Thread } from './surroundings.js';

/** What all threads have in common. */
interface Common {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

const failed = (reason: string) =>
  new ExplainerError('RELC4010', `threads could not be started: ${reason}`, 'run without, by threads: 1');

/** Starts one thread; resolves when it looks for work. */
function started(common: Common, scratch: number, threads: Thread[]): Promise<void> {
  return new Promise((resolve, reject) => {
    try {
      const thread = startThread({
        message: (data) => {
          const { error } = data as { error?: string };
          if (error === undefined) resolve();
          else reject(failed(error));
        },
        failure: (reason) => reject(failed(reason)),
      });
      threads.push(thread);
      thread.send({ ...common, scratch, failed: control.failed, done: control.done });
    } catch (error) {
      reject(failed((error as Error).message));
    }
  });
}

export class Threads {
  private constructor(private readonly threads: readonly Thread[]) {}

  /**
   * Starts a thread for each scratch memory; all or none.
   * @param scratches  addresses of the memory that each thread alone uses
   * @throws ExplainerError RELC4010
   */
  static async start(common: Common, scratches: readonly number[]): Promise<Threads> {
    const threads: Thread[] = [];
    try {
      await Promise.all(scratches.map((scratch) => started(common, scratch, threads)));
    } catch (error) {
      for (const thread of threads) thread.end();
      throw error;
    }
    // Only now: a process that waits for nothing else would end before they are ready
    for (const thread of threads) thread.release();
    return new Threads(threads);
  }

  get count(): number {
    return this.threads.length;
  }

  end(): void {
    for (const thread of this.threads) thread.end();
  }
}
