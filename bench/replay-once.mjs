// One side of the replay benchmark, in a process of its own: prints its rate and its peak memory.
import Database from 'better-sqlite3';
import { systemClock } from '../infra/dist/clock/system.js';
import { openSqliteEventStore } from '../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { replayHistory } from '../projections/dist/replay/history.js';

const [side, file] = process.argv.slice(2);
const begin = performance.now();
const events = side === 'ours' ? await fold() : parse();
const seconds = (performance.now() - begin) / 1000;
const peakMegabytes = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(JSON.stringify({ rate: events / seconds, peakMegabytes }));

async function fold() {
  const store = openSqliteEventStore(file, { clock: systemClock });
  let read = 0;
  let orders = 0;
  for await (const order of replayHistory(store, {}, { onProgress: (position) => (read = position) })) {
    if (order.status !== 'confirmed') throw new Error(`${order.orderId} is ${order.status}`);
    orders += 1;
  }
  await store.close();
  if (orders === 0) throw new Error('no orders');
  return read;
}

function parse() {
  const database = new Database(file, { readonly: true });
  const page = database.prepare(
    'SELECT position, stream, revision, recorded_at, body FROM events WHERE position > ? ORDER BY position LIMIT 1000',
  );
  let read = 0;
  for (let position = 0; ;) {
    const rows = page.all(position);
    if (rows.length === 0) return read;
    for (const row of rows) if (JSON.parse(row.body).id !== undefined) read += 1;
    position = rows[rows.length - 1].position;
  }
}
