import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';

/** A database of its own on a server: its address, and how to reach and remove it. */
export function scratchDatabase(server) {
  const url = new URL(server);
  url.pathname = `/waybill-bench-${randomUUID().slice(0, 8)}`;
  const client = new MongoClient(url.href);
  return {
    url: url.href,
    db: client.db(url.pathname.slice(1), {
      writeConcern: { w: 'majority', journal: true },
      readConcern: { level: 'majority' },
    }),
    async remove() {
      await client.db(url.pathname.slice(1)).dropDatabase();
      await client.close();
    },
  };
}
