/** CPU time of this thread: what something costs on a machine that others use, too. */

function cpuUs(): number {
  // The kernel brings a thread's own time up to date when the whole process is asked for, else only with each tick.
  process.cpuUsage();
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Runs from when it is made. */
export class ThreadTime {
  readonly #startUs = cpuUs();

  /** Milliseconds since then, in user and kernel mode. */
  cpuMs(): number {
    return (cpuUs() - this.#startUs) / 1000;
  }
}
