import { Gauge, type Registry } from 'prom-client';
import type { SteadyClock, Timer } from '@waybill/shared-kernel/ports/clock.js';
import {
  progressMetrics,
  type Figure,
  type Measure,
  type ProgressLabel,
  type ProgressMetric,
} from '@waybill/shared-kernel/subscriptions/progress-figures.js';
import { steadyClock } from '../clock/steady.js';

/** Milliseconds: for how long figures are passed on, and how long who asks for them waits. */
const fresh = 2_000;
const answerTimeoutMs = 1_000;

/**
 * Adds the figures to `registry` as gauges. They are measured when the registry is read, at most every two seconds and
 * each measure once at a time. A figure that takes longer than a second is left out; the others are shown.
 */
export function tellFigures(
  registry: Registry,
  measures: readonly Measure[],
  timer: Timer,
  clock: SteadyClock = steadyClock,
): void {
  const shared = measures.map((measure) => lately(measure, timer, clock));
  for (const name of Object.keys(progressMetrics) as ProgressMetric[]) {
    const { help, label }: { readonly help: string; readonly label?: ProgressLabel } = progressMetrics[name];
    new Gauge({
      name,
      help,
      labelNames: label === undefined ? [] : [label],
      registers: [registry],
      async collect() {
        const found = await Promise.all(shared.map((measure) => measure()));
        this.reset();
        // One without labels is 0 then, which it may not be.
        if (label === undefined) this.remove();
        for (const figure of found.flat()) {
          if (figure.name !== name) continue;
          if (label === undefined) this.set(figure.value);
          else this.set({ [label]: figure[label] ?? '' }, figure.value);
        }
      },
    });
  }
}

/** Never rejects: no figures while there are none. */
function lately(measure: Measure, timer: Timer, clock: SteadyClock): () => Promise<readonly Figure[]> {
  let last: Promise<readonly Figure[]> = Promise.resolve([]);
  let until = -Infinity;

  function ask(): void {
    // Kept for as long as it takes, and a while after that.
    until = Infinity;
    last = measure()
      .catch(() => [])
      .finally(() => {
        until = clock.now() + fresh;
      });
  }

  return async () => {
    if (clock.now() >= until) ask();
    const answered = new AbortController();
    const late = timer.sleep(answerTimeoutMs, answered.signal).then((): readonly Figure[] => []);
    const figures = await Promise.race([last, late]);
    answered.abort();
    return figures;
  };
}
