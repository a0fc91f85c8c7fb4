// Memory of a module: a few words that threads agree on, tables, weights, the arena, and scratch memory by thread.

/** Addresses of the words that threads share. */
export const control = {
  /** Number of the running step · 65536 + the next chunk of it. */
  state: 0,
  /** Chunks of the running step that are done. */
  done: 64,
  /** Threads that sleep until `state` changes. */
  sleepers: 128,
  /** Set where a thread failed, or an index pointed outside: 1 + the number of the step. */
  failed: 192,
} as const;

/** A step number that tells threads to end, and the first state. */
export const endStep = 0xffff;
export const idleStep = 0xfffe;

/** Where the table of chunks by step begins. */
export const tableStart = 256;

/** Elements that may be read behind the last buffer: vectors reach beyond the end. */
export const slackBytes = 64;

export const pageBytes = 65536;
