import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';
import type { LeaseRecord } from './lease-record.js';

interface Sighting {
  readonly token: number;
  readonly beat: number;
  /** When it was first seen so, on our clock. */
  readonly since: number;
}

/**
 * Tells leases whose holder is gone from what it has seen of them itself. A holder counts from before it wrote, the
 * watcher from after it read what was written, so the holder always stops first, with no clock compared to another.
 */
export class Watch {
  readonly #clock: SteadyClock;
  readonly #sightings = new Map<string, Sighting>();

  constructor(clock: SteadyClock) {
    this.#clock = clock;
  }

  /** Whether somebody may hold it. To be told of each record as it was just read. */
  isHeld({ name, owner, token, beat, ttl }: LeaseRecord): boolean {
    if (owner === null) {
      this.#sightings.delete(name);
      return false;
    }
    const now = this.#clock.now();
    const last = this.#sightings.get(name);
    if (last?.token === token && last.beat === beat) return now - last.since < ttl;
    this.#sightings.set(name, { token, beat, since: now });
    return true;
  }
}
