import { beforeEach, describe, expect, test } from '@jest/globals';
import { virtualClock } from '@waybill/infra/clock/seeded.js';
import { openMemorySnapshotStore } from '@waybill/infra/snapshots/memory/snapshot-store.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { SnapshotStore } from '@waybill/shared-kernel/ports/snapshots.js';
import { manualTimer } from '@waybill/shared-kernel/testing/manual-timer.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { AggregateSnapshots, snapshotTuning, type SnapshotTuning } from './aggregate-snapshots.js';
import type { Snapshot } from './snapshot.js';

const stream = 'delivery-d1';
const at = (revision: number, state: unknown = 'open'): Snapshot<unknown> => ({
  revision,
  eventId: `e${revision}`,
  state,
  requests: [],
});
const { answerTimeoutMs, rest } = snapshotTuning;

const clock = virtualClock(0);
let timer = manualTimer();
let said: string[] = [];
/** How often the store was asked for anything. */
let asked = 0;
/** What happens before it answers. */
let before: () => Promise<unknown> = async () => {};
let behind: SnapshotStore;
let snapshots: AggregateSnapshots;

function snapshotsOf(tuning?: Partial<SnapshotTuning>): AggregateSnapshots {
  const first = async (): Promise<void> => {
    asked += 1;
    await before();
  };
  const store: SnapshotStore = {
    load: (of) => first().then(() => behind.load(of)),
    save: (of, snapshot) => first().then(() => behind.save(of, snapshot)),
    remove: (of) => first().then(() => behind.remove(of)),
    close: () => behind.close(),
  };
  const report = ({ message }: Error, of: string): void => void said.push(`${of}: ${message}`);
  return new AggregateSnapshots({ store, timer, clock, report }, tuning);
}

beforeEach(() => {
  [said, asked, before] = [[], 0, async () => {}];
  timer = manualTimer();
  behind = openMemorySnapshotStore();
  snapshots = snapshotsOf();
});

const never = (): Promise<void> => new Promise(() => {});

test('what was saved is found, and nothing is said', async () => {
  expect(await snapshots.find(stream, 1)).toBeUndefined();
  snapshots.save(stream, 1, () => at(19));
  await snapshots.settled();
  expect(await snapshots.find(stream, 1)).toEqual(at(19));
  expect([said, timer.waits]).toEqual([[], []]);
});

test('one of another version is ignored, said, and left for those who know it', async () => {
  snapshots.save(stream, 1, () => at(19));
  await snapshots.settled();
  expect(await snapshots.find(stream, 2)).toBeUndefined();
  expect(said).toEqual([
    `snapshot: The snapshot of ${stream} is ignored: it is of version 1, this program makes version 2.`,
  ]);
  await snapshots.settled();
  expect(await snapshots.find(stream, 1)).toEqual(at(19));
});

test('a damaged one is ignored, said, and thrown away, so that the next is not in its shadow', async () => {
  await behind.save(stream, { revision: 1e9, schemaVersion: 1, text: 'x' });
  expect(await snapshots.find(stream, 1)).toBeUndefined();
  expect(said).toEqual([`snapshot: The snapshot of ${stream} is ignored: it is damaged.`]);
  await snapshots.settled();
  snapshots.save(stream, 1, () => at(19));
  await snapshots.settled();
  expect(await snapshots.find(stream, 1)).toEqual(at(19));
});

describe('a store that', () => {
  test('hangs is waited for once and not for long, then left alone, and asked again later', async () => {
    before = never;
    const finds = [snapshots.find(stream, 1), snapshots.find(stream, 1)];
    await until(() => timer.waits.length === 2);
    expect(timer.waits).toEqual([answerTimeoutMs, answerTimeoutMs]);
    timer.elapse();
    expect(await Promise.all(finds)).toEqual([undefined, undefined]);
    expect(said).toEqual([`snapshot store: It did not answer within ${answerTimeoutMs} ms.`]);

    clock.advance(rest - 1);
    expect(await snapshots.find(stream, 1)).toBeUndefined();
    snapshots.save(stream, 1, () => at(19));
    await snapshots.settled();
    expect(asked).toBe(2);

    clock.advance(1);
    before = async () => {};
    snapshots.save(stream, 1, () => at(19));
    await snapshots.settled();
    expect(await snapshots.find(stream, 1)).toEqual(at(19));
  });

  test('is down is said to be once, and nothing rejects', async () => {
    before = () => Promise.reject(new Unavailable('snapshot store', 'It is down.'));
    snapshots.save(stream, 1, () => at(19));
    snapshots.discard(stream, 'so');
    await snapshots.settled();
    expect(await snapshots.find(stream, 1)).toBeUndefined();
    expect(said).toEqual([`snapshot: The snapshot of ${stream} is ignored: so.`, 'snapshot store: It is down.']);
  });

  test('hangs as it saves holds up the end of the process for as long as a save may take, no longer', async () => {
    before = never;
    snapshots.save(stream, 1, () => at(19));
    const closed = snapshots.close();
    await until(() => timer.waits.length === 1);
    expect(timer.waits).toEqual([snapshotTuning.savePatience]);
    timer.elapse();
    await closed;
  });

  test('is slow gets no more to save than a few at once', async () => {
    before = never;
    const few = snapshotsOf({ saves: 2 });
    for (let revision = 0; revision < 9; revision += 1) few.save(`delivery-${revision}`, 1, () => at(revision));
    await until(() => timer.waits.length === 2);
    expect(asked).toBe(2);
    timer.elapse();
    await few.settled();
  });
});

test('one that would be too large, or cannot be written, is said and not kept', async () => {
  const small = snapshotsOf({ largest: 200 });
  small.save(stream, 1, () => at(19, 'x'.repeat(200)));
  small.save('delivery-d2', 1, () => at(19, 1n));
  await small.settled();
  expect(said).toEqual([
    expect.stringMatching(`A snapshot of ${stream} would be too large: \\d+ characters.`),
    expect.stringContaining('BigInt'),
  ]);
  expect([asked, await behind.load(stream)]).toEqual([0, undefined]);
});

test('the next is due so many events after the last', () => {
  expect([18, 19, 20].map((revision) => snapshots.isDue(revision, -1, 1))).toEqual([false, true, true]);
  expect([58, 59].map((revision) => snapshots.isDue(revision, 39, 1_000))).toEqual([false, true]);
  // With many requests, the later the more there are.
  expect([238, 239].map((revision) => snapshots.isDue(revision, 39, 10_000))).toEqual([false, true]);
});
