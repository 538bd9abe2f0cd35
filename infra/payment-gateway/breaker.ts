import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';

export type BreakerState = 'closed' | 'half-open' | 'open';

export interface BreakerTuning {
  /** It opens when the last attempt of more than this share of the payers of a while failed … */
  readonly breakAbove: number;
  readonly breakOverMs: number;
  /** … if there were at least so many payers. */
  readonly breakFromPayers: number;
}

/**
 * Whether it makes sense to ask at all. Of each payer the last attempt of a while counts, and no other: an order that
 * gets no answer however often it is asked for, or a payer with many of them, says nothing of the gateway. While it is
 * open nobody is to ask; half-open one is, and decides.
 */
export class Breaker {
  readonly #tuning: BreakerTuning;
  readonly #clock: SteadyClock;
  readonly #onChange: (state: BreakerState) => void;
  /** Payer → how their last attempt ended, and when; the latest last. */
  readonly #last = new Map<string, { readonly at: number; readonly failed: boolean }>();
  #failed = 0;
  #state: BreakerState = 'closed';

  /** `clock`: never set back. `onChange`: called with each new state. */
  constructor(tuning: BreakerTuning, clock: SteadyClock, onChange: (state: BreakerState) => void) {
    this.#tuning = tuning;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** An attempt was answered, whatever the answer. */
  answered(payer: string): void {
    this.#note(payer, false);
    if (this.#state === 'half-open') this.#become('closed');
  }

  /** An attempt was not answered, or by a fault of the gateway. */
  failed(payer: string): void {
    this.#note(payer, true);
    const { breakAbove, breakFromPayers } = this.#tuning;
    const payers = this.#last.size;
    const isBad = payers >= breakFromPayers && this.#failed > breakAbove * payers;
    if (this.#state === 'half-open' || (this.#state === 'closed' && isBad)) this.#become('open');
  }

  /** It was open for long enough. */
  tryOne(): void {
    if (this.#state === 'open') this.#become('half-open');
  }

  #become(state: BreakerState): void {
    this.#state = state;
    if (state === 'closed') {
      this.#last.clear();
      this.#failed = 0;
    }
    this.#onChange(state);
  }

  #note(payer: string, failed: boolean): void {
    const now = this.#clock.now();
    this.#forget(payer);
    this.#last.set(payer, { at: now, failed });
    if (failed) this.#failed += 1;
    for (const [oldest, { at }] of this.#last) {
      if (now - at <= this.#tuning.breakOverMs) return;
      this.#forget(oldest);
    }
  }

  #forget(payer: string): void {
    if (this.#last.get(payer)?.failed === true) this.#failed -= 1;
    this.#last.delete(payer);
  }
}
