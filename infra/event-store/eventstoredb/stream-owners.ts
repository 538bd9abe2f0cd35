import { LRUCache } from 'lru-cache';
import { isOurs, type Recorded } from './wire-event.js';

/** How many streams are remembered. */
const maxRemembered = 10_000;

/**
 * Whose the streams are that are named like ours: a stream is ours if its first event is. Another program may have
 * streams of such names; what it writes there is no more of the log than anything else that it writes.
 */
export class StreamOwners {
  readonly #firstEvent: (stream: string) => Promise<Recorded | undefined>;
  readonly #isOurs = new LRUCache<string, boolean>({ max: maxRemembered });

  /** `firstEvent`: the first event that is left of a stream, if one is. It is asked once for each stream. */
  constructor(firstEvent: (stream: string) => Promise<Recorded | undefined>) {
    this.#firstEvent = firstEvent;
  }

  /** Whether a record without our envelope is nevertheless of a stream of ours. */
  async isOurRecord(record: Recorded): Promise<boolean> {
    const { streamId, revision } = record;
    if (isOurs(record)) return true;
    if (revision === 0n) this.#isOurs.set(streamId, false);
    // Where nothing is left to tell by, it is told by this alone, and by what comes the next time.
    return (await this.isOurStream(streamId)) ?? false;
  }

  /** An event with our envelope was read, by which its stream is known though nothing of it is left later. */
  note({ streamId }: Pick<Recorded, 'streamId'>): void {
    if (this.#isOurs.get(streamId) === undefined) this.#isOurs.set(streamId, true);
  }

  /** `undefined` while nothing is left of the stream to tell by. */
  async isOurStream(stream: string): Promise<boolean | undefined> {
    const known = this.#isOurs.get(stream);
    if (known !== undefined) return known;
    const first = await this.#firstEvent(stream);
    if (first === undefined) return undefined;
    this.#isOurs.set(stream, isOurs(first));
    return isOurs(first);
  }
}
