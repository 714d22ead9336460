/** Reactions to stored changes, done one after the other once the change's own call is over. */

/** Runs queued work in order. */
export interface Deferred {
  /** Queues work; the same key twice before it ran is done once. */
  add(key: string, work: () => void): void;
  /** Resolves when nothing is queued. */
  idle(): Promise<void>;
  stop(): void;
}

/** A queue whose failures go to `onError`. */
export function createDeferred(onError: (error: unknown, doing: string) => void): Deferred {
  const queue = new Map<string, () => void>();
  const waiting: (() => void)[] = [];
  let isScheduled = false;
  let isStopped = false;

  function drain(): void {
    isScheduled = false;
    for (const [key, work] of queue) {
      queue.delete(key);
      if (isStopped) continue;
      try {
        work();
      } catch (error) {
        onError(error, key);
      }
    }
    for (const resolve of waiting.splice(0)) resolve();
  }
  return {
    add(key, work) {
      if (isStopped) return;
      queue.set(key, work);
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(drain);
    },
    idle: () => (isScheduled ? new Promise((resolve) => void waiting.push(resolve)) : Promise.resolve()),
    stop() {
      isStopped = true;
      queue.clear();
    },
  };
}
