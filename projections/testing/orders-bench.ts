import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { orders } from '../read-models/orders.js';
import type { Happening } from './history.js';
import { appendAll } from './logs.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

/** A log and the read model of orders, in memory. Time stands still at noon. */
export class OrdersBench {
  readonly clock = virtualClock('2026-03-01T12:00:00Z');
  readonly log = new MemoryEventStore(this.clock);
  readonly readStore: ReadStore = openSqliteReadStore(':memory:');

  static async open<Bench extends OrdersBench>(
    this: new () => Bench,
    happenings: readonly Happening[],
  ): Promise<Bench> {
    const bench = new this();
    await bench.readStore.declare(orders.collection);
    await appendAll(bench.log, happenings);
    return bench;
  }

  /** Those that the projection of orders folds. */
  async events(): Promise<readonly RecordedEvent[]> {
    const events = await wholeLog(this.log);
    return events.filter((event) => /^(order|payment|delivery)-/u.test(event.stream));
  }

  async end(): Promise<void> {
    await this.log.close();
    await this.readStore.close();
  }
}
