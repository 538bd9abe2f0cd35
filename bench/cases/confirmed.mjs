import { systemClock } from '../../infra/dist/clock/system.js';
import { dataFiles } from '../../infra/dist/process/config.js';
import { openSqliteEventStore } from '../../infra/dist/event-store/sqlite/sqlite-event-store.js';

/**
 * Notes where the log of a data folder ends now. Called with how many orders are placed from here on, answers when all of
 * them are confirmed: seconds by the log's own times, from the first that was placed to the last that was confirmed.
 */
export async function confirmedFrom(folder) {
  const store = openSqliteEventStore(dataFiles(folder).log, { clock: systemClock });
  let from = await store.head();
  return async (orders) => {
    let [first, last, confirmed] = [undefined, undefined, 0];
    try {
      while (confirmed < orders) {
        const { events, isEnd } = await store.readAll(from, 1_000);
        for (const { type, position, recordedAt, data } of events) {
          from = position;
          if (type === 'OrderRejected') throw new Error(`Order ${data.orderId}: ${data.reason}`);
          if (type === 'OrderPlaced') first ??= Date.parse(recordedAt);
          if (type !== 'OrderConfirmed') continue;
          confirmed += 1;
          last = Date.parse(recordedAt);
        }
        if (isEnd) await new Promise((resolve) => setTimeout(resolve, 100));
      }
    } finally {
      await store.close();
    }
    return { untilLast: (last - first) / 1000 };
  };
}
