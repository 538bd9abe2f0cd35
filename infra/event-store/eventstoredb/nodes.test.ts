import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { freshStream, newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { openEventStoreDb, type EventStoreDbEventStore, type EventStoreDbOptions } from './eventstoredb-event-store.js';
import { systemRandomness, systemTimer } from '../../clock/system.js';
import { Changes } from '../changes.js';
import { announceChanges } from './change-subscription.js';
import { Nodes } from './nodes.js';
import { StandInServer } from './testing/stand-in-server.js';

describe('with two nodes', () => {
  let leader: StandInServer;
  let follower: StandInServer;
  let store: EventStoreDbEventStore;

  beforeEach(async () => {
    leader = await StandInServer.listen();
    follower = await leader.addFollower();
  });

  afterEach(async () => {
    await store.close();
    leader.kill();
    follower.kill();
  });

  function open(nodes: readonly StandInServer[], options: EventStoreDbOptions = {}): EventStoreDbEventStore {
    const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return openEventStoreDb(`esdb://${hosts}?tls=false`, { backOff: { first: 1, most: 10 }, ...options });
  }

  const questions: readonly [
    string,
    (asked: EventStoreDbEventStore, stream: string, at: number) => Promise<unknown>,
  ][] = [
    ['a stream', async (asked, stream) => (await asked.readStream(stream, 0, 10)).length],
    ['a stream backwards', async (asked, stream) => (await asked.readStreamBackwards(stream, Infinity, 10)).length],
    ['the log', async (asked) => (await asked.readAll(0, 10)).events.length],
    ['the log backwards', async (asked) => (await asked.readAllBackwards(Infinity, 10)).events.length],
    ['the head', async (asked, _, at) => ((await asked.head()) === at ? 1 : 0)],
    ['a record', async (asked, _, at) => (typeof (await asked.recordAt(at)) === 'object' ? 1 : 0)],
    ['a cut', async (asked, stream) => ((await asked.cutOf(stream)) === undefined ? 0 : 1)],
  ];

  test.each(questions)(
    'what is asked of %s is answered by the leader, not by a follower that is behind',
    async (...[what, ask]) => {
      store = open([leader], { answerTimeoutMs: 20_000 });
      const stream = freshStream();
      const { position } = await store.append(stream, noStream, [newEvent()]);
      if (what === 'a cut') leader.write(`$$${stream}`, '$metadata', 1, '{}', '{"$tb":9223372036854775807}');
      await store.close();
      store = open([follower], { answerTimeoutMs: 20_000 });
      expect(await ask(store, stream, position)).toBe(1);
    },
  );

  test('what is appended through a follower is stored by the leader', async () => {
    store = open([follower], { answerTimeoutMs: 20_000 });
    await store.append(freshStream(), noStream, [newEvent()]);
    expect(leader.records).toBe(1);
    expect(follower.records).toBe(0);
  });

  test('a subscription through a follower is one at the leader', async () => {
    store = open([follower], { answerTimeoutMs: 20_000, watchMs: 600_000 });
    const stop = new AbortController();
    const followed = (async () => {
      for await (const { events } of store.subscribe(0, 10, stop.signal)) if (events.length > 0) return events;
      return [];
    })();
    await until(() => leader.subscribers === 1);
    const other = open([leader], { answerTimeoutMs: 20_000 });
    const event = newEvent();
    await other.append(freshStream(), noStream, [event]);
    expect(await followed).toMatchObject([{ id: event.id }]);
    stop.abort();
    await other.close();
  });

  test('a subscription itself requires the leader, whoever led a moment ago', async () => {
    store = open([leader]);
    const [nodes, changes, stop] = [new Nodes(follower.url), new Changes(), new AbortController()];
    const ringing = announceChanges(
      {
        nodes,
        head: async () => 0,
        lastMet: () => 0,
        forgetMet: () => undefined,
        changes,
        timer: systemTimer,
        randomness: systemRandomness,
        watchMs: 600_000,
        backOff: { first: 1, most: 10 },
        report: () => undefined,
      },
      stop.signal,
    );
    await until(() => leader.subscribers + follower.subscribers > 0);
    expect([leader.subscribers, follower.subscribers]).toEqual([1, 0]);
    stop.abort();
    await ringing;
    await nodes.close();
  });

  test.each(['first', 'last'] as const)('goes on without a leader that is frozen, named %s', async (place) => {
    store = open(place === 'first' ? [leader, follower] : [follower, leader], {
      answerTimeoutMs: 300,
      watchMs: 600_000,
    });
    const stop = new AbortController();
    const followed: string[] = [];
    const following = (async () => {
      for await (const { events } of store.subscribe(0, 10, stop.signal)) followed.push(...events.map(({ id }) => id));
    })();
    const stream = freshStream();
    const events = [newEvent(), newEvent(), newEvent()];
    await until(() => store.append(stream, noStream, [events[0]!]).then(Boolean, () => false));
    await until(() => followed.length === 1 && leader.subscribers === 1);
    leader.freeze();
    await expect(store.append(stream, 0, [events[1]!])).rejects.toMatchObject({ kind: 'unavailable' });
    follower.lead();
    // The leader never thaws.
    await until(() => store.append(stream, 0, [events[1]!]).then(Boolean, () => false));
    await until(() => store.append(stream, 1, [events[2]!]).then(Boolean, () => false));
    await until(() => followed.length === 3);
    expect(followed).toEqual(events.map(({ id }) => id));
    stop.abort();
    await following;
  });

  test('begins though the node that is named first is frozen', async () => {
    store = open([follower, leader], { answerTimeoutMs: 300 });
    follower.freeze();
    await until(() => store.append(freshStream(), noStream, [newEvent()]).then(Boolean, () => false));
    expect(leader.records).toBe(1);
  });

  test('goes on without a leader that was killed', async () => {
    store = open([leader, follower], { answerTimeoutMs: 300 });
    const stream = freshStream();
    const [first, second] = [newEvent(), newEvent()];
    await store.append(stream, noStream, [first]);
    leader.kill();
    follower.lead();
    await until(() => store.append(stream, 0, [second]).then(Boolean, () => false));
    expect((await store.readStream(stream, 0, 10)).map(({ id }) => id)).toEqual([first.id, second.id]);
  });

  test('does not leave a node for one slow call while others are answered', async () => {
    store = open([leader, follower], { answerTimeoutMs: 400 });
    const stream = freshStream();
    await store.append(stream, noStream, [newEvent()]);
    const release = leader.holdNext();
    const slow = expect(store.append(stream, 0, [newEvent()])).rejects.toMatchObject({ kind: 'unavailable' });
    let isOver = false;
    const over = slow.then(() => (isOver = true));
    while (!isOver) await store.head();
    await over;
    const { calls } = follower;
    await store.head();
    expect(follower.calls).toBe(calls);
    expect(calls).toBe(0);
    release();
  });
});
