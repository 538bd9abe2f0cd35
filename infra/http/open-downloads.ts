import { LimitReached } from '@waybill/shared-kernel/errors.js';

/** Of one caller at once. */
export const mostDownloads = 20;

/** After which it is worth trying again, seconds. */
const triedAgainAfter = 5;

/**
 * Answers that are being sent piece by piece. Each holds a connection and what is ready for its client, for as long as
 * the client takes: so there are only so many of one caller.
 */
export class OpenDownloads {
  /** Caller → how many. */
  readonly #open = new Map<string, number>();

  /** Sends one. Throws `LimitReached` where the caller has as many as there may be. */
  async send(caller: string, sendIt: () => Promise<void>): Promise<void> {
    const others = this.#open.get(caller) ?? 0;
    if (others >= mostDownloads) {
      const detail = `There are ${others} downloads of yours under way. Wait for one to end.`;
      throw new LimitReached('downloads', detail, triedAgainAfter);
    }
    this.#open.set(caller, others + 1);
    try {
      await sendIt();
    } finally {
      const left = this.#open.get(caller)! - 1;
      if (left === 0) this.#open.delete(caller);
      else this.#open.set(caller, left);
    }
  }
}
