import { BadDataFile } from './errors.js';
import type { RecordedEvent } from './message.js';
import { beginning, type Appended, type EventStore, type SubscriptionBatch } from './ports/event-store.js';
import type { ReadStore } from './ports/read-store.js';

/**
 * What tells a log from all others, its copies in other stores included: its first event, and where that stands.
 * `undefined`: it has none yet.
 */
export async function identityOf(log: Pick<EventStore, 'readAll'>): Promise<string | undefined> {
  const [first] = await log.readAll(beginning, 1);
  return first === undefined ? undefined : `${first.position}:${first.id}`;
}

/**
 * Whether the positions of a read store are of this log, as far as either says. Those of another would mean nothing
 * here, or worse: all that is greater than the last of this log would be taken for up to date.
 */
export async function isMadeFrom(
  log: Pick<EventStore, 'readAll'>,
  readStore: Pick<ReadStore, 'madeFrom'>,
): Promise<boolean> {
  const noted = await readStore.madeFrom();
  return noted === undefined || noted === (await identityOf(log));
}

export const otherLog =
  'The read models were made from another log than this one, and its positions mean nothing here: give them a read store that is empty (delete read-models.sqlite, or name another database in WAYBILL_READ_STORE), or set WAYBILL_EVENT_STORE to the log they are of.';

/** The log as those follow it who remember positions in a read store. Positions of another log are refused. */
export function followedLog(log: EventStore, readStore: Pick<ReadStore, 'madeFrom' | 'noteMadeFrom'>): EventStore {
  return new FollowedLog(log, readStore);
}

/** Whatever takes or gives positions looks first, until the read store has noted that it is of this log. */
class FollowedLog implements EventStore {
  readonly #log: EventStore;
  readonly #readStore: Pick<ReadStore, 'madeFrom' | 'noteMadeFrom'>;
  #isNoted = false;

  constructor(log: EventStore, readStore: Pick<ReadStore, 'madeFrom' | 'noteMadeFrom'>) {
    this.#log = log;
    this.#readStore = readStore;
  }

  append(...append: Parameters<EventStore['append']>): Promise<Appended> {
    return this.#log.append(...append);
  }

  readStream(...question: Parameters<EventStore['readStream']>): Promise<readonly RecordedEvent[]> {
    return this.#log.readStream(...question);
  }

  readStreamBackwards(...question: Parameters<EventStore['readStreamBackwards']>): Promise<readonly RecordedEvent[]> {
    return this.#log.readStreamBackwards(...question);
  }

  async readAll(after: number, limit: number): Promise<readonly RecordedEvent[]> {
    if (!this.#isNoted) await this.#look();
    return this.#log.readAll(after, limit);
  }

  async readAllBackwards(before: number, limit: number): Promise<readonly RecordedEvent[]> {
    if (!this.#isNoted) await this.#look();
    return this.#log.readAllBackwards(before, limit);
  }

  async head(): Promise<number> {
    if (!this.#isNoted) await this.#look();
    return this.#log.head();
  }

  async *subscribe(after: number, limit: number, signal: AbortSignal): AsyncGenerator<SubscriptionBatch, void> {
    await this.#look();
    for await (const batch of this.#log.subscribe(after, limit, signal)) {
      if (!this.#isNoted) await this.#look();
      yield batch;
    }
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  /** Throws `BadDataFile`. A log without events has nothing to be told by yet. */
  async #look(): Promise<void> {
    const [noted, identity] = await Promise.all([this.#readStore.madeFrom(), identityOf(this.#log)]);
    if (noted !== undefined && noted !== identity) throw new BadDataFile(otherLog);
    if (identity === undefined) return;
    // Another may be noting another one now: that it is ours is seen at the next look.
    if (noted === undefined) await this.#readStore.noteMadeFrom(identity);
    else this.#isNoted = true;
  }
}
