import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { isLong } from '@waybill/shared-kernel/testing/length.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';
import { openSqliteEventStore } from './sqlite-event-store.js';
import type { Acknowledged } from './writer-process.fixture.js';
import { logFileForEach } from './testing/log-file-for-each.js';
import { systemClock } from '../../clock/system.js';

const program = fileURLToPath(new URL('./writer-process.fixture.js', import.meta.url));

const sharedStream = 'order-shared';
/** How many more events are acknowledged before each kill. */
const rounds = isLong ? [200, 1_000, 2_000] : [200];

let file: string;
logFileForEach((path) => {
  file = path;
});

function startWriter(mode: string, lanes: number, appends: number): ChildProcess {
  return fork(program, [file, sharedStream, mode, String(lanes), String(appends)]);
}

/** No event twice, and the revisions of each stream go 0, 1, 2 … */
function expectIntact(log: readonly RecordedEvent[]): void {
  const next = new Map<string, number>();
  for (const { stream, revision } of log) {
    expect(revision).toBe(next.get(stream) ?? 0);
    next.set(stream, revision + 1);
  }
  expect(new Set(log.map(({ id }) => id)).size).toBe(log.length);
}

function expectHolds(log: readonly RecordedEvent[], acknowledged: readonly Acknowledged[]): void {
  const byId = new Map(log.map((event) => [event.id, event]));
  for (const { id, stream, revision, position } of acknowledged) {
    expect(byId.get(id)).toMatchObject({ stream, revision, position });
  }
}

describe.each(['here', 'worker'])('a log written %s', (mode) => {
  test('holds after kill -9, again and again, every acknowledged event exactly once, its streams unbroken', async () => {
    const acknowledged: Acknowledged[] = [];
    for (const round of rounds) {
      const writer = startWriter(mode, 32, Infinity);
      const target = acknowledged.length + round;
      writer.on('message', (message: Acknowledged) => {
        acknowledged.push(message);
        if (acknowledged.length === target) writer.kill('SIGKILL');
      });
      const [, signal] = (await once(writer, 'exit')) as [number | null, string | null];
      expect(signal).toBe('SIGKILL');

      const store = openSqliteEventStore(file, { clock: systemClock });
      const log = await wholeLog(store);
      expectIntact(log);
      expectHolds(log, acknowledged);
      const last = log.at(-1);
      const { position } = await store.append(sharedStream, log.filter(isShared).length - 1, [
        { ...event, id: `${round}` },
      ]);
      expect(position).toBeGreaterThan(last?.position ?? Infinity);
      await store.close();
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(rounds.reduce((sum, round) => sum + round));
  });

  test('takes what two processes append at once, and a reader beside them misses nothing', async () => {
    const store = openSqliteEventStore(file, { clock: systemClock });
    const writers = [startWriter(mode, 8, 60), startWriter(mode, 8, 60)];
    const acknowledged: Acknowledged[] = [];
    for (const writer of writers) writer.on('message', (message: Acknowledged) => acknowledged.push(message));
    // Its last messages may come after its end, but before the line is closed.
    const exits = Promise.all(
      writers.map(async (writer) => {
        const ended: unknown[] = await once(writer, 'exit');
        if (writer.connected) await once(writer, 'disconnect');
        return ended;
      }),
    );

    const expected = 2 * 8 * (60 + 6) * 2;
    const seen: RecordedEvent[] = [];
    const abort = new AbortController();
    for await (const { events } of store.subscribe(0, 50, abort.signal)) {
      seen.push(...events);
      if (seen.length >= expected) abort.abort();
    }
    expect((await exits).map(([code]) => code)).toEqual([0, 0]);

    const log = await wholeLog(store);
    expect(log).toHaveLength(expected);
    expect(seen).toEqual(log);
    expectIntact(log);
    expect(acknowledged).toHaveLength(expected);
    expectHolds(log, acknowledged);
    await store.close();
  });
});

const event = {
  type: 'OrderPlaced',
  schemaVersion: 1,
  occurredAt: '2026-01-01T00:00:00.000Z',
  correlationId: 'c',
  causationId: 'c',
  partitionKey: 'shared',
  data: {},
};

function isShared({ stream }: RecordedEvent): boolean {
  return stream === sharedStream;
}

test('a log is the same after it was closed and opened again', async () => {
  const store = openSqliteEventStore(file, { clock: systemClock });
  await store.append('order-1', -1, [
    { ...event, id: 'a' },
    { ...event, id: 'b' },
  ]);
  const before = await wholeLog(store);
  await store.close();

  const again = openSqliteEventStore(file, { clock: { time: () => new Date(0) } });
  expect(await wholeLog(again)).toEqual(before);
  const appended = await again.append('order-1', 1, [{ ...event, id: 'c' }]);
  expect((await again.readStream('order-1', 2, 1))[0]?.recordedAt).toBe(before[1]?.recordedAt);
  expect(appended.position).toBeGreaterThan(before[1]?.position ?? Infinity);
  await again.close();
});
