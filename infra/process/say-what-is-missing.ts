import type { Logger } from 'pino';
import type { Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { Readiness } from '../http/pages/public-pages.js';

export interface SayingDependencies {
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly timer: Timer;
}

/** How often it looks, milliseconds. */
const every = 2_000;

/**
 * Looks all the time whether a process has what it needs, and says so in its log: once when something is missing, once
 * when something else is, and once when all is there again. Who started it before its servers learns what it waits for.
 */
export function sayWhatIsMissing(
  ready: () => Promise<Readiness>,
  { log, timer }: SayingDependencies,
): { stop(): void; readonly stopped: Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;
  let said = '';

  async function look(): Promise<void> {
    const { checks } = await ready();
    const missing = Object.entries(checks).filter(([, found]) => found !== 'ok');
    const names = missing.map(([name]) => name).join(', ');
    if (signal.aborted || names === said) return;
    said = names;
    if (names === '') log.info('Everything that is needed is there.');
    else log.warn({ missing: Object.fromEntries(missing) }, `Waiting for: ${names}. It goes on by itself.`);
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      await look();
      await timer.sleep(every, signal);
    }
  }

  return { stop: () => stopping.abort(), stopped: run() };
}
