// A turn of the event loop between two steps of a long task.

/** Lets timers and events in, such as those that abort. */
export const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
