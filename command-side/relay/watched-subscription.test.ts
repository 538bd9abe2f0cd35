import { describe, expect, test } from '@jest/globals';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import type { EventStore, LogPage } from '@waybill/shared-kernel/ports/event-store.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { watchedSubscription } from './watched-subscription.js';

/** A log in memory, whose subscriptions can be made to die without a word: they hear nothing any more, not even the end. */
class MortalLog {
  readonly #log = new MemoryEventStore(virtualClock('2026-01-01T00:00:00Z'));
  isSilent = false;
  isOthers = false;
  asked = 0;
  #streams = 0;

  async append(): Promise<void> {
    await this.#log.append(`order-${(this.#streams += 1)}`, -1, [newEvent()]);
  }

  readonly readAll: EventStore['readAll'] = async (after, limit) => {
    const page = await this.#log.readAll(after, limit);
    this.asked += 1;
    // Every record at its end is another program's, as long as it is told so.
    return this.isOthers ? { ...page, events: [] } : page;
  };

  async *subscribe(after: number, limit: number, signal: AbortSignal): AsyncGenerator<LogPage, void> {
    for await (const batch of this.#log.subscribe(after, limit, signal)) {
      if (this.isSilent) await new Promise(() => undefined);
      yield batch;
    }
  }
}

/** Follows it, noting what comes. */
function follow(log: MortalLog) {
  const timer = manualTimer();
  const stopping = new AbortController();
  const seen: number[] = [];
  let hold: Promise<void> | undefined;
  const ended = (async () => {
    for await (const { events } of watchedSubscription(log, timer, 0, 10, stopping.signal)) {
      seen.push(...events.map(({ position }) => position));
      if (events.length > 0) await hold;
    }
    return 'ended';
  })();
  /** One look, whole. */
  const look = async (): Promise<void> => {
    await until(() => timer.waits.length === 1);
    const before = log.asked;
    timer.elapse();
    await until(() => log.asked > before);
  };
  const keepBusy = (until: Promise<void>): void => {
    hold = until;
  };
  return { seen, ended, look, keepBusy, stop: () => stopping.abort() };
}

describe('a subscription that is watched', () => {
  test('hands out what comes, and ends when it is told to', async () => {
    const log = new MortalLog();
    await log.append();
    const { seen, ended, stop } = follow(log);
    await until(() => seen.length === 1);
    await log.append();
    await until(() => seen.length === 2);
    stop();
    expect(await ended).toBe('ended');
  });

  test('ends a subscription that has stopped delivering with a fault', async () => {
    const log = new MortalLog();
    const { seen, ended, look } = follow(log);
    await log.append();
    await until(() => seen.length === 1);
    log.isSilent = true;
    await log.append();
    const fault = expect(ended).rejects.toThrow('has stopped delivering');
    await look();
    await look();
    await fault;
  });

  test('ends when it is told to although it is silent', async () => {
    const log = new MortalLog();
    log.isSilent = true;
    const { ended, stop } = follow(log);
    stop();
    expect(await ended).toBe('ended');
  });

  test('takes a log to which nothing comes for quiet', async () => {
    const log = new MortalLog();
    await log.append();
    const { seen, ended, look, stop } = follow(log);
    await until(() => seen.length === 1);
    for (let looks = 0; looks < 4; looks += 1) await look();
    await log.append();
    await until(() => seen.length === 2);
    stop();
    expect(await ended).toBe('ended');
  });

  test('takes a log to which only others write for quiet', async () => {
    const log = new MortalLog();
    await log.append();
    const { seen, ended, look, stop } = follow(log);
    await until(() => seen.length === 1);
    log.isSilent = true;
    log.isOthers = true;
    await log.append();
    for (let looks = 0; looks < 4; looks += 1) await look();
    stop();
    expect(await ended).toBe('ended');
  });

  test('is not held against a reader that is busy', async () => {
    const log = new MortalLog();
    const { seen, ended, look, keepBusy, stop } = follow(log);
    let release = (): void => undefined;
    keepBusy(new Promise<void>((resolve) => (release = resolve)));
    await log.append();
    await until(() => seen.length === 1);
    await log.append();
    for (let looks = 0; looks < 3; looks += 1) await look();
    release();
    await until(() => seen.length === 2);
    stop();
    expect(await ended).toBe('ended');
  });
});
