import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import type { Appended, EventStore } from '@waybill/shared-kernel/ports/event-store.js';

/** What becomes of an append: it is done, it is not, or it is and nobody hears of it. `cut off`: the next read fails too. */
export type Fate = 'done' | 'lost' | 'unheard' | 'cut off';

/** A log whose appends meet a fate that a test decides. Reads are those of the log behind it. */
export class FaultyStore implements EventStore {
  readonly #behind: EventStore;
  #isCutOff = false;
  /** Asked for each append before it is done. */
  fate: (stream: string, events: readonly NewEvent[]) => Fate | Promise<Fate> = () => 'done';

  constructor(behind: EventStore) {
    this.#behind = behind;
  }

  async append(stream: string, expectedRevision: number, events: readonly NewEvent[]): Promise<Appended> {
    const fate = await this.fate(stream, events);
    if (fate === 'lost') throw new Unavailable('event store', 'The append was lost.');
    const appended = await this.#behind.append(stream, expectedRevision, events);
    if (fate === 'done') return appended;
    this.#isCutOff = fate === 'cut off';
    throw new Unavailable('event store', 'The append was not heard of.');
  }

  readStream: EventStore['readStream'] = async (stream, from, limit) => {
    const isCutOff = this.#isCutOff;
    this.#isCutOff = false;
    if (isCutOff) throw new Unavailable('event store', 'The connection is cut off.');
    return this.#behind.readStream(stream, from, limit);
  };
  readStreamBackwards: EventStore['readStreamBackwards'] = (stream, from, limit) =>
    this.#behind.readStreamBackwards(stream, from, limit);
  cutOf: EventStore['cutOf'] = (stream) => this.#behind.cutOf(stream);
  readAll: EventStore['readAll'] = (after, limit) => this.#behind.readAll(after, limit);
  readAllBackwards: EventStore['readAllBackwards'] = (before, limit) => this.#behind.readAllBackwards(before, limit);
  recordAt: EventStore['recordAt'] = (position) => this.#behind.recordAt(position);
  head: EventStore['head'] = () => this.#behind.head();
  subscribe: EventStore['subscribe'] = (after, limit, signal) => this.#behind.subscribe(after, limit, signal);
  close: EventStore['close'] = () => this.#behind.close();
}
