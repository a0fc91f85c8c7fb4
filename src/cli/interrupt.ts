// Ctrl-C on a long command: the first one asks it to stop, the second one ends the process.
import type { Terminal } from './terminal.js';

/** Runs what stops soon after its signal aborts. */
export async function interruptible(
  terminal: Terminal,
  action: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  // Once: without a listener, the next interrupt does what it always does
  const onInterrupt = () => {
    terminal.status?.('');
    terminal.err('stopping; once more stops at once');
    controller.abort();
  };
  process.once('SIGINT', onInterrupt);
  try {
    await action(controller.signal);
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
}
