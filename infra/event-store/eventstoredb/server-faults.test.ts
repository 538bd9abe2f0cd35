import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { noStream, type LogPage } from '@waybill/shared-kernel/ports/event-store.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { openEventStoreDb, type EventStoreDbEventStore, type EventStoreDbOptions } from './eventstoredb-event-store.js';
import { readLog } from '@waybill/shared-kernel/read-stream.js';
import { systemTimer } from '../../clock/system.js';
import { KnownOutage } from './outage.js';
import { TcpProxy } from '../../testing/tcp-proxy.js';
import { freshStream, newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { StandInServer } from './testing/stand-in-server.js';

const unavailable = { kind: 'unavailable', what: 'event store' };
const patient: EventStoreDbOptions = { answerTimeoutMs: 20_000, backOff: { first: 1, most: 10 } };

/** Everything that can be asked of a store. */
function questions(store: EventStoreDbEventStore): readonly Promise<unknown>[] {
  return [
    store.append(freshStream(), noStream, [newEvent()]),
    store.readStream(freshStream(), 0, 10),
    store.readStreamBackwards(freshStream(), Infinity, 10),
    store.readAll(0, 10),
    store.readAllBackwards(Infinity, 10),
    store.head(),
  ];
}

async function expectUnavailable(store: EventStoreDbEventStore): Promise<void> {
  await Promise.all(questions(store).map((answer) => expect(answer).rejects.toMatchObject(unavailable)));
}

describe('without a server', () => {
  test('everything is unavailable where nothing listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const store = openEventStoreDb(`esdb://127.0.0.1:${port}?tls=false`, { answerTimeoutMs: 300 });
    await expectUnavailable(store);
    await store.close();
  });

  test('everything is unavailable where a server takes connections and is silent', async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => sockets.add(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const store = openEventStoreDb(`esdb://127.0.0.1:${port}?tls=false`, { answerTimeoutMs: 100 });
    await expectUnavailable(store);
    await expectUnavailable(store);
    await store.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('with a server that fails', () => {
  let server: StandInServer;
  let store: EventStoreDbEventStore;
  let stop: AbortController;

  beforeEach(async () => {
    server = await StandInServer.listen();
    stop = new AbortController();
  });

  afterEach(async () => {
    stop.abort();
    await store.close();
    server.kill();
  });

  /** Appends one by one, each until it is acknowledged. */
  async function append(stream: string, from: number, count: number): Promise<string[]> {
    const events = Array.from({ length: count }, () => newEvent());
    for (const [index, event] of events.entries()) {
      for (let isDone = false; !isDone;) {
        isDone = await store.append(stream, from + index - 1, [event]).then(
          () => true,
          (error: unknown) => {
            expect(error).toMatchObject(unavailable);
            return false;
          },
        );
      }
    }
    return events.map(({ id }) => id);
  }

  /** The ids that a subscription has given so far. */
  function follow(): { readonly ids: string[]; readonly batches: LogPage[]; readonly end: Promise<void> } {
    const followed = { ids: [] as string[], batches: [] as LogPage[] };
    const run = async () => {
      for await (const batch of store.subscribe(0, 3, stop.signal)) {
        followed.batches.push(batch);
        followed.ids.push(...batch.events.map(({ id }) => id));
      }
    };
    return { ...followed, end: run() };
  }

  test.each(['answer', 'append'] as const)('an append of which the %s was lost is stored once', async (lost) => {
    store = openEventStoreDb(server.url, patient);
    const stream = freshStream();
    const events = [newEvent(), newEvent()];
    server.loseNext(lost);
    const appended = await store.append(stream, noStream, events);
    const read = await store.readStream(stream, 0, 10);
    expect(read.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    expect(appended).toEqual({ revision: 1, position: read[1]?.position });
  });

  test('of two appends of one event at the same moment both are answered, though the server drops one', async () => {
    store = openEventStoreDb(server.url, patient);
    const other = openEventStoreDb(server.url, patient);
    server.dropAfterMs = 600_000;
    const [stream, event] = [freshStream(), newEvent()];
    const release = server.holdNext();
    const first = store.append(stream, noStream, [event]);
    await until(() => server.underWay === 1);
    const second = other.append(stream, noStream, [event]);
    await until(() => server.dropped > 0);
    release();
    expect(await second).toEqual(await first);
    expect(await store.readStream(stream, 0, 10)).toHaveLength(1);
    await other.close();
  });

  test('an append that takes long is asked for again three times, stays open, and is stored once', async () => {
    store = openEventStoreDb(server.url, patient);
    server.dropAfterMs = 1;
    const [stream, event] = [freshStream(), newEvent()];
    const release = server.holdNext();
    const appended = store.append(stream, noStream, [event]);
    await until(() => server.dropped === 3);
    release();
    expect(await appended).toMatchObject({ revision: 0 });
    expect(await store.readStream(stream, 0, 10)).toMatchObject([{ id: event.id }]);
  });

  test('an outage is told of in two true lines, however many calls fail meanwhile', async () => {
    const lines: string[] = [];
    store = openEventStoreDb(server.url, {
      ...patient,
      watchMs: 20,
      report: ({ message }) => lines.push(message),
      recovered: (text) => lines.push(text),
    });
    const followed = Array.from({ length: 40 }, () => follow());
    await append(freshStream(), 0, 1);
    await until(() => followed.every(({ ids }) => ids.length === 1) && server.subscribers === 1);
    server.kill();
    for (let failures = 0; failures < 40; failures += 1) {
      const fault: unknown = await store.readAll(0, 10).then(
        () => 'answered',
        (error: unknown) => error,
      );
      expect(fault).toBeInstanceOf(KnownOutage);
      expect(fault).toMatchObject(unavailable);
    }
    await server.restart();
    await append(freshStream(), 0, 1);
    await until(() => followed.every(({ ids }) => ids.length === 2) && server.subscribers === 1);
    expect(lines).toEqual([
      expect.stringMatching(/^EventStoreDB cannot be reached \(.*\)\.$/),
      expect.stringMatching(/^EventStoreDB answers again, after \d+\.\d s\.$/),
    ]);
  });

  test('nothing is asked when no time is left for an answer', async () => {
    server.kill();
    const sleeps: number[] = [];
    const timer = {
      sleep: async (milliseconds: number, signal?: AbortSignal) => {
        sleeps.push(milliseconds);
        // Longer than it should, as on a machine that is busy.
        await systemTimer.sleep(150, signal);
      },
    };
    store = openEventStoreDb(server.url, { answerTimeoutMs: 200, timer });
    const message = await store.readStream('order-1', 0, 1).then(String, String);
    expect(sleeps.length).toBeGreaterThan(0);
    expect(message).toMatch(/cannot be reached/);
    expect(message).not.toMatch(/has not answered for/);
  });

  test('why the first try failed is told, not that there was little time left for the second', async () => {
    // Frozen between the two.
    const timer = { sleep: async () => server.freeze() };
    store = openEventStoreDb(server.url, { answerTimeoutMs: 300, timer });
    server.loseNext('append');
    const message = await store.append(freshStream(), noStream, [newEvent()]).then(String, String);
    server.thaw();
    expect(message).toMatch(/EventStoreDB cannot be reached \(.*Connection dropped\)/);
  });

  test('records of other programs are read once, however many readers come to them', async () => {
    store = openEventStoreDb(server.url, patient);
    server.write('foreign-1', 'Foreign', 6_000);
    const ids = await append(freshStream(), 0, 2);
    const before = server.reads;
    const read = async (): Promise<string[]> => {
      const found: string[] = [];
      for await (const { events } of readLog(store, 0)) found.push(...events.map(({ id }) => id));
      return found;
    };
    expect(await Promise.all(Array.from({ length: 10 }, read))).toEqual(Array(10).fill(ids));
    const once = server.reads - before;
    expect(once).toBeLessThan(6 + 2 * 10);
    expect(await read()).toEqual(ids);
    expect(server.reads - before - once).toBeLessThanOrEqual(2);
  });

  test('what was looked through in vain is looked at again in a log that was put back and has grown', async () => {
    store = openEventStoreDb(server.url, patient);
    const { records } = server;
    server.write('foreign-1', 'Foreign', 50);
    expect((await store.readAll(0, 1_000)).events).toEqual([]);
    server.restoreTo(records);
    const ids = await append(freshStream(), 0, 1);
    server.write('foreign-1', 'Foreign', 100);
    expect((await store.readAll(0, 1_000)).events.map(({ id }) => id)).toEqual(ids);
  });

  test('also where a record of the other history stands at the same place', async () => {
    store = openEventStoreDb(server.url, patient);
    const { records } = server;
    server.write('foreign-1', 'Foreign', 50);
    const { through } = await store.readAll(0, 1_000);
    server.restoreTo(records);
    const event = newEvent();
    const { position } = await store.append(freshStream(), noStream, [event]);
    // A record takes 100 bytes and its data.
    server.write('foreign-1', 'Foreign', 1, '{}', `"${'x'.repeat(through - position - 102)}"`);
    expect(await store.head()).toBe(through);
    expect((await store.readAll(0, 1_000)).events.map(({ id }) => id)).toEqual([event.id]);
  });

  test('who asks for the head is near it, whatever other programs write behind the last event of ours', async () => {
    store = openEventStoreDb(server.url, patient);
    await append(freshStream(), 0, 1);
    const behind = await store.head();
    server.project();
    server.write('foreign-1', 'Foreign', 1_500);
    const head = await store.head();
    // Nobody reads but the store itself.
    const { reads } = server;
    await until(() => server.reads >= reads + 5);
    await until(async () => {
      const page = await store.readAll(behind, 10);
      return page.through === head && page.isEnd;
    });
  });

  test('the same store goes on when the server is back', async () => {
    store = openEventStoreDb(server.url, { answerTimeoutMs: 500 });
    await store.append(freshStream(), noStream, [newEvent()]);
    server.kill();
    await expectUnavailable(store);
    await server.restart();
    expect((await store.readAll(0, 10)).events).toHaveLength(1);
  });

  test('a server that freezes is unavailable, and all goes on when it thaws', async () => {
    const line = await TcpProxy.listen({ host: '127.0.0.1', port: server.port });
    store = openEventStoreDb(`esdb://127.0.0.1:${line.port}?tls=false`, { ...patient, answerTimeoutMs: 300 });
    const followed = follow();
    const stream = freshStream();
    const before = await append(stream, 0, 2);
    line.stall();
    await expectUnavailable(store);
    const event = newEvent();
    await expect(store.append(stream, 1, [event])).rejects.toMatchObject(unavailable);
    line.resume();
    await until(() => store.append(stream, 1, [event]).then(Boolean, () => false));
    const after = await append(stream, 3, 2);
    const ids = [...before, event.id, ...after];
    expect((await store.readStream(stream, 0, 10)).map(({ id }) => id)).toEqual(ids);
    await until(() => after.every((id) => followed.ids.includes(id)));
    expect(followed.ids.filter((id) => ids.includes(id))).toEqual(ids);
    await store.close();
    await line.close();
  });

  test('a subscription misses nothing and doubles nothing over deaths of the server', async () => {
    store = openEventStoreDb(server.url, patient);
    const followed = follow();
    const stream = freshStream();
    const ids: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      ids.push(...(await append(stream, ids.length, 10)));
      server.kill();
      const appended = append(stream, ids.length, 10);
      await server.restart();
      ids.push(...(await appended));
    }
    await until(() => followed.ids.length === ids.length);
    expect(followed.ids).toEqual(ids);
    stop.abort();
    await followed.end;
  });

  test('a subscription that was cut off for being slow is taken up again, and that is reported', async () => {
    const reports: Error[] = [];
    store = openEventStoreDb(server.url, { ...patient, report: (fault) => reports.push(fault) });
    const followed = follow();
    await until(() => server.subscribers === 1);
    server.drop();
    await until(() => server.subscribers === 1);
    const ids = await append(freshStream(), 0, 3);
    await until(() => followed.ids.length === 3);
    expect(followed.ids).toEqual(ids);
    expect(reports).toMatchObject([unavailable]);
  });

  test('a subscription that fell silent is noticed and replaced, and what it kept to itself is read', async () => {
    store = openEventStoreDb(server.url, { ...patient, watchMs: 20 });
    const followed = follow();
    await until(() => server.subscribers === 1);
    server.silence();
    const ids = await append(freshStream(), 0, 3);
    await until(() => followed.ids.length === 3);
    await until(() => server.subscribers === 1);
    expect(followed.ids).toEqual(ids);
  });

  test('a quiet log is not taken for a silent subscription', async () => {
    const reports: Error[] = [];
    store = openEventStoreDb(server.url, { ...patient, watchMs: 1, report: (fault) => reports.push(fault) });
    await append(freshStream(), 0, 3);
    follow();
    await until(() => server.subscribers === 1);
    const { reads } = server;
    await until(() => server.reads > reads + 20);
    expect(reports).toEqual([]);
  });

  test('a read that closing ends is unavailable, and not one that found nothing', async () => {
    store = openEventStoreDb(server.url, patient);
    await append('order-closed', 0, 1);
    server.freeze();
    const { calls } = server;
    const reads = [
      store.readStream('order-closed', 0, 10),
      store.readStreamBackwards('order-closed', Infinity, 10),
      store.readAll(0, 10),
      store.readAllBackwards(Infinity, 10),
      store.head(),
      store.cutOf('order-closed'),
    ];
    const ended = Promise.allSettled(reads);
    await until(() => server.calls === calls + reads.length);
    await store.close();
    for (const read of await ended) expect(read).toMatchObject({ status: 'rejected', reason: unavailable });
  });

  test('closing ends subscriptions, and what is asked afterwards is unavailable', async () => {
    store = openEventStoreDb(server.url, patient);
    const followed = follow();
    await until(() => followed.batches.length > 0);
    await store.close();
    await followed.end;
    await until(() => server.subscribers === 0);
    await expectUnavailable(store);
  });
});
