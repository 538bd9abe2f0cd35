import { randomUUID } from 'node:crypto';
import { WrongExpectedRevision } from '@waybill/shared-kernel/errors.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { startAppendWorker } from './append-worker.js';
import { openSqliteEventStore } from './sqlite-event-store.js';
import { systemClock } from '../../clock/system.js';

/**
 * A process that appends to a log from many lanes at once, each to a stream of its own and to one that all processes
 * share, and tells its parent every event that was acknowledged. Arguments: file, shared stream, `here` or `worker`,
 * lanes, and how many appends each lane makes (`Infinity`: until it is killed).
 */
export interface Acknowledged {
  readonly id: string;
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
}

function event(): NewEvent {
  const id = randomUUID();
  const occurredAt = new Date().toISOString();
  return {
    id,
    type: 'OrderPlaced',
    schemaVersion: 1,
    occurredAt,
    correlationId: id,
    causationId: id,
    partitionKey: id,
    data: {},
  };
}

async function main(
  [file = '', sharedStream = '', mode, lanes, appends]: readonly string[],
  tell: (what: Acknowledged) => void,
) {
  const worker = mode === 'worker' ? await startAppendWorker(file) : undefined;
  const store = openSqliteEventStore(file, { clock: systemClock, ...(worker && { appender: worker.port() }) });

  const append = async (stream: string, expected: number) => {
    const events = [event(), event()];
    const { revision, position } = await store.append(stream, expected, events);
    for (const [index, { id }] of events.entries()) {
      tell({ id, stream, revision: revision - 1 + index, position: position - 1 + index });
    }
    return revision;
  };
  const appendShared = async () => {
    for (;;) {
      const [last] = await store.readStreamBackwards(sharedStream, Infinity, 1);
      try {
        return await append(sharedStream, last?.revision ?? noStream);
      } catch (error) {
        if (!(error instanceof WrongExpectedRevision)) throw error;
      }
    }
  };
  const lane = async () => {
    const stream = `order-${randomUUID()}`;
    for (let count = 0, revision = noStream; count < Number(appends); count += 1) {
      revision = await append(stream, revision);
      if (count % 10 === 0) await appendShared();
    }
  };
  await Promise.all(Array.from({ length: Number(lanes) }, lane));
  await store.close();
  await worker?.close();
}

/** Resolves when the last that was told is on its way: what is not would be lost with the line. */
let told = Promise.resolve();
await main(process.argv.slice(2), (what) => {
  told = new Promise((resolve) => process.send?.(what, undefined, undefined, () => resolve()));
});
await told;
process.disconnect();
