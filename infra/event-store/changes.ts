/** Another way of noticing that a log has grown, asked while somebody waits: what other processes appended. */
export interface Poll {
  /** How often at least. Shortly after somebody began to wait more often: where something came, more is on its way. */
  readonly everyMs: number;
  /** Whether anything may have been appended since it was asked last; true in doubt. */
  changed(): boolean;
}

/** Tells those who wait at the end of a log that it has grown. May be wrong that it has, never that it has not. */
export class Changes {
  readonly #waiting = new Set<() => void>();
  readonly #poll: Poll | undefined;
  #timer: NodeJS.Timeout | undefined;
  #count = 0;
  #closed = false;

  constructor(poll?: Poll) {
    this.#poll = poll;
  }

  /** How often the log has grown so far. Taken before reading, given to `since` after it. */
  get count(): number {
    return this.#count;
  }

  get closed(): boolean {
    return this.#closed;
  }

  announce(): void {
    this.#count += 1;
    for (const resume of [...this.#waiting]) resume();
  }

  /** Resolves when the log has grown since it had done so `count` times, when `signal` aborts, and on `close`. */
  since(count: number, signal: AbortSignal): Promise<void> {
    if (count !== this.#count || signal.aborted || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const resume = () => {
        signal.removeEventListener('abort', resume);
        this.#waiting.delete(resume);
        if (this.#waiting.size === 0) clearTimeout(this.#timer);
        resolve();
      };
      signal.addEventListener('abort', resume);
      this.#waiting.add(resume);
      if (this.#waiting.size === 1) this.#startPolling();
    });
  }

  /** Lets go of everybody who waits, for good. */
  close(): void {
    this.#closed = true;
    this.announce();
  }

  #startPolling(): void {
    const poll = this.#poll;
    if (poll === undefined) return;
    const askAfter = (delay: number): void => {
      this.#timer = setTimeout(() => {
        askAfter(Math.min(delay * 2, poll.everyMs));
        if (poll.changed()) this.announce();
      }, delay);
    };
    askAfter(poll.everyMs / 16);
  }
}
