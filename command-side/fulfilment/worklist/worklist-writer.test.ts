import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { logBeginning } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { worklistNote } from './testing/worklist-note.js';
import { worklist } from './worklist.js';
import { WorklistWriter } from './worklist-writer.js';

const clock = virtualClock('2026-03-01T12:00:00Z');
const partition = partitionOf('o1');
/** Another order of the partition. */
const neighbour = Array.from({ length: 100 }, (_, index) => `n${index}`).find((id) => partitionOf(id) === partition)!;

let readStore: ReadStore;
let commits: number;
let declared: number;
/** Runs before a commit. */
let beforeCommit: () => void;
let writer: WorklistWriter;

beforeEach(() => {
  readStore = openSqliteReadStore(':memory:');
  commits = declared = 0;
  beforeCommit = () => undefined;
  writer = new WorklistWriter({
    clock,
    readStore: {
      declare: (collection) => {
        declared += 1;
        return readStore.declare(collection);
      },
      load: (...asked) => readStore.load(...asked),
      list: (...asked) => readStore.list(...asked),
      commit: (batch) => {
        commits += 1;
        beforeCommit();
        return readStore.commit(batch);
      },
    },
  });
});
afterEach(() => readStore.close());

/** How an order stands at a revision; it is due since so many seconds before noon. */
function note(revision: number, orderId = 'o1', dueSeconds = 1) {
  const dueAt = new Date(clock.now() - 1000 * dueSeconds).toISOString();
  return worklistNote(orderId, revision, { state: 'authorising', deadline: 'payment', dueAt, since: dueAt });
}

async function revisionOf(orderId = 'o1'): Promise<number | undefined> {
  const [document] = await readStore.load(worklist, [orderId]);
  return document?.revisions['fulfilment'];
}

test('nothing that was noted is nothing to write', async () => {
  await writer.flush(partition);
  expect([declared, commits]).toEqual([0, 0]);
});

test('nor is what another turns out to have written further', async () => {
  const other = new WorklistWriter({ clock, readStore });
  other.note(note(5));
  await other.flush(partition);
  writer.note(note(3));
  await writer.flush(partition);
  expect([commits, await revisionOf(), writer.knownUpTo('o1')]).toEqual([1, 5, 5]);
});

test('what is noted while it writes stays noted', async () => {
  writer.note(note(0));
  beforeCommit = () => writer.note(note(1));
  await writer.flush(partition);
  expect([writer.knownUpTo('o1'), await revisionOf()]).toEqual([1, 0]);
  beforeCommit = () => undefined;
  await writer.flush(partition);
  expect(await revisionOf()).toBe(1);
});

test('of a partition that another works on now it writes nothing any more, and begins the list of it anew', async () => {
  writer.note(note(0, 'o1', 2));
  writer.note(note(0, neighbour, 1));
  await writer.flush(partition);
  expect(await writer.due(partition, clock.now(), 1)).toEqual(['o1']);
  expect(await writer.due(partition, clock.now(), 1)).toEqual([neighbour]);
  writer.note(note(1));
  writer.forget(partition);
  await writer.flush(partition);
  expect(await revisionOf()).toBe(0);
  expect(await writer.due(partition, clock.now(), 1)).toEqual(['o1']);
});

test('writes over a document that stood still', async () => {
  const { orderId: key, revision: _, ...section } = note(0);
  const now = new Date(clock.now()).toISOString();
  const cut = { stream: 'fulfilment-o1', firstRevision: null };
  const degraded = { since: now, triedAt: now, error: 'So.', cut, seen: {} };
  await readStore.declare(worklist);
  const document = { key, revisions: { fulfilment: 0 }, sections: { fulfilment: section }, projectedAt: now, degraded };
  const write = { ...document, expected: undefined, fields: { single: {}, multiple: {} } };
  await readStore.commit({ collection: worklist, partition, writes: [write], position: logBeginning });
  writer.note(note(1));
  await writer.flush(partition);
  const [stored] = await readStore.load(worklist, ['o1']);
  expect(stored).toMatchObject({ revisions: { fulfilment: 1 } });
  expect(stored).not.toHaveProperty('degraded');
});
