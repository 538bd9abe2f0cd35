import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';

/** The server is lost, for the one who told it: the first call that failed. */
export class OutageBegun extends Unavailable {}

/** A call that failed in an outage of which one line tells already: whoever meets it need not say so again. */
export class KnownOutage extends Unavailable {}

/** Tells that the server is lost, and that it is back, once each, however many calls fail meanwhile. */
export class Outage {
  readonly #clock: SteadyClock;
  readonly #lost: (fault: OutageBegun) => void;
  readonly #recovered: (text: string) => void;
  #sinceMs: number | undefined;

  /** `clock`: a steady one. */
  constructor(clock: SteadyClock, lost: (fault: OutageBegun) => void, recovered: (text: string) => void) {
    this.#clock = clock;
    this.#lost = lost;
    this.#recovered = recovered;
  }

  /** A call failed because the server cannot be reached. Returns what its caller is to be told. */
  failed(fault: Unavailable): KnownOutage {
    if (this.#sinceMs === undefined) {
      this.#sinceMs = this.#clock.now();
      this.#lost(new OutageBegun(fault.what, fault.message, { cause: fault }));
    }
    return new KnownOutage(fault.what, fault.message, { cause: fault.cause ?? fault });
  }

  /** The server has answered. */
  answered(): void {
    if (this.#sinceMs === undefined) return;
    const seconds = (this.#clock.now() - this.#sinceMs) / 1_000;
    this.#sinceMs = undefined;
    this.#recovered(`EventStoreDB answers again, after ${seconds.toFixed(1)} s.`);
  }
}
