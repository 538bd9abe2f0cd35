import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import type { Appended, EventStore } from '@waybill/shared-kernel/ports/event-store.js';

/** What becomes of an append: it is done, it is not, or it is and nobody hears of it. */
export type Fate = 'done' | 'lost' | 'unheard';

/** A log whose appends meet a fate that a test decides. Reads are those of the log behind it. */
export class FaultyStore implements EventStore {
  readonly #behind: EventStore;
  /** Asked for each append before it is done. */
  fate: (stream: string, events: readonly NewEvent[]) => Fate | Promise<Fate> = () => 'done';

  constructor(behind: EventStore) {
    this.#behind = behind;
  }

  async append(stream: string, expectedRevision: number, events: readonly NewEvent[]): Promise<Appended> {
    const fate = await this.fate(stream, events);
    if (fate === 'lost') throw new Unavailable('event store', 'The append was lost.');
    const appended = await this.#behind.append(stream, expectedRevision, events);
    if (fate === 'unheard') throw new Unavailable('event store', 'The append was not heard of.');
    return appended;
  }

  readStream: EventStore['readStream'] = (stream, from, limit) => this.#behind.readStream(stream, from, limit);
  readStreamBackwards: EventStore['readStreamBackwards'] = (stream, from, limit) =>
    this.#behind.readStreamBackwards(stream, from, limit);
  readAll: EventStore['readAll'] = (after, limit) => this.#behind.readAll(after, limit);
  readAllBackwards: EventStore['readAllBackwards'] = (before, limit) => this.#behind.readAllBackwards(before, limit);
  head: EventStore['head'] = () => this.#behind.head();
  subscribe: EventStore['subscribe'] = (after, limit, signal) => this.#behind.subscribe(after, limit, signal);
  close: EventStore['close'] = () => this.#behind.close();
}
