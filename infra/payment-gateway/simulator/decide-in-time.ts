import { asError } from '@waybill/shared-kernel/as-error.js';
import { epochMs, type Timer, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { Ledger } from './ledger.js';

export interface DecidingDependencies {
  readonly ledger: Pick<Ledger, 'decide'>;
  readonly clock: WallClock;
  readonly timer: Timer;
  /** Something may have been decided. */
  readonly decided: () => void;
  readonly report: (fault: Error) => void;
}

export interface Deciding {
  /** There may be one that is due sooner. */
  look(): void;
  stop(): Promise<void>;
}

/** How long nothing is looked for at most, milliseconds: others may have left something undecided in the same file. */
const longestSleep = 60_000;

/** Decides pending payments when their time has come, those of an earlier process too. */
export function decideInTime({ ledger, clock, timer, decided, report }: DecidingDependencies): Deciding {
  const stopping = new AbortController();
  const isOver = (): boolean => stopping.signal.aborted;
  let waking = new AbortController();

  async function sleepUntilNext(): Promise<number> {
    try {
      const next = await ledger.decide();
      decided();
      return next === undefined ? longestSleep : Math.min(longestSleep, Math.max(0, next - epochMs(clock)));
    } catch (error) {
      report(asError(error));
      return 1_000;
    }
  }

  async function run(): Promise<void> {
    while (!isOver()) {
      waking = new AbortController();
      const signal = AbortSignal.any([waking.signal, stopping.signal]);
      await timer.sleep(await sleepUntilNext(), signal);
    }
  }

  const running = run();
  return {
    look: () => waking.abort(),
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
