import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { beginning, type EventStore } from '@waybill/shared-kernel/ports/event-store.js';

/** Longer than fulfilment waits before it asks for a payment the fourth time. Milliseconds. */
const answerTimeoutMs = 90_000;

/** A log as it grows, whoever writes it, and those who wait for something to come of it. */
export class FollowedLog {
  readonly events: RecordedEvent[] = [];
  readonly #ofKey = new Map<string, RecordedEvent[]>();
  readonly #store: EventStore;
  readonly #closing = new AbortController();
  readonly #following: Promise<void>;
  readonly #stall: NodeJS.Timeout;
  #stalled = false;
  #waiting: (() => void)[] = [];

  /** `store` is closed with it. */
  constructor(store: EventStore) {
    this.#store = store;
    this.#stall = setTimeout(() => {
      this.#stalled = true;
      this.#wake();
    }, answerTimeoutMs);
    this.#following = this.#follow();
  }

  /** Events of a partition key, in order. */
  of(partitionKey: string): readonly RecordedEvent[] {
    return this.#ofKey.get(partitionKey) ?? [];
  }

  /**
   * Asks now, and whenever there is more, until the answer is yes. Rejects, naming what was waited for, when nothing
   * came of anything for so long that nothing will.
   */
  async until(what: string | (() => string), isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.#stalled || this.#closing.signal.aborted) {
        throw new Error(`Waited in vain until ${typeof what === 'string' ? what : what()}.`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#stall);
    this.#closing.abort();
    this.#wake();
    await this.#following;
    await this.#store.close();
  }

  async #follow(): Promise<void> {
    for await (const { events } of this.#store.subscribe(beginning, 200, this.#closing.signal)) {
      for (const event of events) {
        const others = this.#ofKey.get(event.partitionKey);
        if (others === undefined) this.#ofKey.set(event.partitionKey, [event]);
        else others.push(event);
        this.events.push(event);
      }
      // To ask once more is no progress.
      if (events.some(({ type }) => type !== 'FulfilmentPaymentRequested')) this.#stall.refresh();
      this.#wake();
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
