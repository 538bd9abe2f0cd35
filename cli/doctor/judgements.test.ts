import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { InspectedBroker } from '@waybill/infra/broker/rabbitmq/inspect.js';
import { readConfig } from '@waybill/infra/process/config.js';
import type { InspectedMongoDb } from '@waybill/infra/read-store/mongodb/inspect.js';
import { StreamUnreadable } from '@waybill/shared-kernel/errors.js';
import type { Lease } from '@waybill/shared-kernel/ports/lease.js';
import type { Lag } from '@waybill/shared-kernel/subscriptions/measure-lag.js';
import { judgeBroker, judgeUnreachable } from './broker.js';
import { isDown } from './check.js';
import { judgeConfiguration } from './configuration.js';
import { checkDataFolder, judgeFolder, judgeMissingFolder, judgeSecret, type SeenFolder } from './data-folder.js';
import { judgeAhead, judgeEventStore, judgeLog } from './event-store.js';
import { judgeLeases } from './leases.js';
import { judgePort } from './ports.js';
import { judgeLags, judgeMarks, judgeOverdue } from './progress.js';
import { judgeReadStore } from './read-store.js';
import { judgeNode } from './runtime.js';

const gigabyte = 1024 ** 3;
const folder: SeenFolder = {
  path: '/data',
  isFolder: true,
  isWritable: true,
  mode: 0o40700,
  isOurs: true,
  freeBytes: 10 * gigabyte,
};

describe('the doctor judges', () => {
  test.each([
    ['20.19.0', 'good'],
    ['22.1.0', 'good'],
    ['20.18.3', 'bad'],
    ['18.20.0', 'bad'],
  ])('Node %s %s', (version, state) => {
    expect(judgeNode(version).state).toBe(state);
  });

  describe('the configuration:', () => {
    const stateOf = (environment: Record<string, string>, name: string): unknown =>
      judgeConfiguration(environment).checks.find((check) => check.name === name);

    test('every variable, where it comes from, and no secret', () => {
      const secret = Buffer.alloc(32, 7).toString('base64');
      const environment = {
        WAYBILL_MASTER_KEY: secret,
        WAYBILL_MASTER_KEY_PREVIOUS: secret,
        WAYBILL_EVENT_STORE: 'esdb://admin:changeit@host:2113',
        WAYBILL_READ_STORE: 'mongodb://user:p%40ss@host/waybill',
        WAYBILL_PAYMENT_URL: 'https://shop:pay-key@pay.example',
        WAYBILL_WEBHOOK_SECRET: 'whispered',
      };
      const { checks, config } = judgeConfiguration(environment);
      expect(config).toBeDefined();
      expect(new Set(checks.map(({ state }) => state))).toEqual(new Set(['good']));
      const said = JSON.stringify(checks);
      for (const word of [secret, 'changeit', 'p%40ss', 'pay-key', 'whispered']) expect(said).not.toMatch(word);
      expect(stateOf(environment, 'WAYBILL_EVENT_STORE')).toMatchObject({
        detail: 'esdb://admin:…@host:2113, from the environment',
      });
    });

    test.each([
      ['WAYBILL_BROKER', 'http://host'],
      ['WAYBILL_EVENT_STORE', 'postgres://host'],
      ['WAYBILL_READ_STORE', 'mongo://host'],
      ['WAYBILL_WRITE_PORT', 'eighty'],
      ['WAYBILL_MASTER_KEY', 'short'],
      ['WAYBILL_MASTER_KEY_PREVIOUS', 'short'],
      ['WAYBILL_PUBLIC_READ_URL', 'shop'],
      ['WAYBILL_PAYMENT_URL', 'pay'],
    ])('%s=%s is bad', (name, value) => {
      expect(stateOf({ [name]: value }, name)).toMatchObject({ state: 'bad', mend: expect.any(String) });
    });

    test('one variable of two that belong together', () => {
      const { checks, config } = judgeConfiguration({ WAYBILL_OIDC_ISSUER: 'https://id.example' });
      expect(config).toBeUndefined();
      expect(checks.find(({ state }) => state === 'bad')).toMatchObject({ name: 'configuration' });
    });

    test('what nothing reads, such as a name mistyped', () => {
      expect(stateOf({ WAYBILL_READ_STOR: 'sqlite:' }, 'WAYBILL_READ_STOR')).toMatchObject({ state: 'warning' });
      expect(stateOf({ WAYBILL_TEST_AMQP: 'amqp://host' }, 'WAYBILL_TEST_AMQP')).toBeUndefined();
    });
  });

  test.each<[string, Partial<SeenFolder>, readonly string[]]>([
    ['as it ought to be', {}, ['good', 'good']],
    ['that is none', { isFolder: false }, ['bad']],
    ['that cannot be written', { isWritable: false }, ['bad']],
    ['open to others', { mode: 0o40755 }, ['warning', 'good']],
    ['of another user', { isOurs: false }, ['good', 'warning', 'good']],
    ['with little room', { freeBytes: gigabyte / 2 }, ['good', 'warning']],
    ['with no room', { freeBytes: gigabyte / 100 }, ['good', 'bad']],
  ])('a data folder %s', (_, fields, states) => {
    expect(judgeFolder({ ...folder, ...fields }).map(({ state }) => state)).toEqual(states);
  });

  test('of a data folder, the files that the configuration uses', () => {
    const folder = mkdtempSync(join(tmpdir(), 'waybill-doctor-'));
    const servers = { WAYBILL_EVENT_STORE: 'esdb://host:2113', WAYBILL_READ_STORE: 'mongodb://host/waybill' };
    const named = (environment: Readonly<Record<string, string>>) =>
      checkDataFolder(readConfig({ WAYBILL_DATA: folder, ...environment })).map(({ name }) => name);
    expect(named({})).toEqual(expect.arrayContaining(['log file', 'read models file']));
    for (const name of ['log file', 'read models file']) expect(named(servers)).not.toContain(name);
    rmSync(folder, { recursive: true });
  });

  test('a data folder that is not there yet', () => {
    expect(judgeMissingFolder('/data', folder)).toMatchObject({ state: 'good' });
    expect(judgeMissingFolder('/data', { ...folder, isWritable: false })).toMatchObject({ state: 'bad' });
    expect(judgeMissingFolder('/data', undefined)).toMatchObject({ state: 'bad' });
  });

  test.each([
    [0o100600, true, 'good'],
    [0o100640, true, 'bad'],
    [0o100604, true, 'bad'],
    [0o100600, false, 'bad'],
  ])('a key of mode %o', (mode, isOurs, state) => {
    expect(judgeSecret({ path: '/data/master.key', mode, isOurs })).toMatchObject([{ state }]);
  });

  test('a port', () => {
    const judged = (seen: Parameters<typeof judgePort>[3]): string => judgePort('port', '1', 'P', seen).state;
    expect(['free' as const, 'ours' as const, 'stranger' as const, { fault: 'EACCES' }].map(judged)).toEqual([
      'good',
      'good',
      'bad',
      'bad',
    ]);
  });

  test.each([
    ['23.10.8', 'good'],
    ['22.6.0', 'good'],
    ['21.10.0', 'bad'],
  ])('EventStoreDB %s', (version, state) => {
    expect(judgeEventStore('esdb://host', { version, roundTripMs: 1 }).state).toBe(state);
  });

  test('clocks that are apart', () => {
    expect([-60_000, 0, 1_500, 60_000].map((ahead) => judgeAhead('clock', ahead).state)).toEqual([
      'good',
      'good',
      'good',
      'warning',
    ]);
  });

  describe('RabbitMQ:', () => {
    const queue = { consumer: 'orders.v2', partition: 0 };
    const found = { messages: 3, consumers: 1, otherwise: undefined };
    const seen: InspectedBroker = {
      product: 'RabbitMQ',
      version: '4.0.5',
      roundTripMs: 1,
      queues: [{ queue, name: 'waybill.orders.v2.0', found }],
      deadLetters: 0,
      blocked: undefined,
    };
    const statesOf = (fields: Partial<InspectedBroker>): readonly string[] =>
      judgeBroker('amqp://host', { ...seen, ...fields }).map(({ state }) => state);

    test.each<[string, Partial<InspectedBroker>, readonly string[]]>([
      ['as it ought to be', {}, ['good', 'good', 'good', 'good']],
      ['short of memory', { blocked: 'low on memory' }, ['good', 'good', 'good', 'bad']],
      ['with dead letters', { deadLetters: 2 }, ['good', 'good', 'warning', 'good']],
      ['without the queue of dead letters', { deadLetters: undefined }, ['good', 'good', 'skipped', 'good']],
      [
        'without a queue',
        { queues: [{ queue, name: 'waybill.orders.v2.0', found: undefined }] },
        ['good', 'warning', 'good', 'good'],
      ],
      [
        'with a queue of another kind',
        { queues: [{ queue, name: 'waybill.orders.v2.0', found: { ...found, otherwise: 'inequivalent arg' } }] },
        ['good', 'bad', 'good', 'good'],
      ],
      [
        'with a queue that nobody reads',
        { queues: [{ queue, name: 'waybill.orders.v2.0', found: { ...found, consumers: 0 } }] },
        ['good', 'warning', 'good', 'good'],
      ],
    ])('%s', (_, fields, states) => {
      expect(statesOf(fields)).toEqual(states);
    });

    test('that is not there is down; that refuses the user is not', () => {
      expect(isDown(judgeUnreachable('amqp://host', 'connect ECONNREFUSED'))).toBe(true);
      const refused = judgeUnreachable('amqp://host', 'Handshake terminated by server: 403 (ACCESS-REFUSED)');
      expect([isDown(refused), refused.state]).toEqual([false, 'bad']);
    });
  });

  test.each<[string, Partial<InspectedMongoDb>, readonly string[]]>([
    ['as it ought to be', {}, ['good', 'good', 'good', 'good']],
    ['without a majority', { writeFault: new Error('no majority') }, ['good', 'bad', 'good', 'good']],
    ['without an index', { missingIndexes: { 'orders.v2': ['by:status'] } }, ['good', 'good', 'bad', 'good']],
    ['with another time', { clockAheadMs: -90_000 }, ['good', 'good', 'good', 'warning']],
  ])('MongoDB %s', (_, fields, states) => {
    const seen: InspectedMongoDb = {
      version: '7.0.0',
      roundTripMs: 1,
      clockAheadMs: 5,
      replicaSet: 'rs0',
      writeFault: undefined,
      missingIndexes: {},
      ...fields,
    };
    expect(judgeReadStore('mongodb://host', seen, true).map(({ state }) => state)).toEqual(states);
  });

  test('who works on what', () => {
    const lease = (name: string, owner: string): Lease => ({ name, owner, token: 1 });
    const held = [
      lease('relay/partition/0', 'a'),
      lease('relay/seat/0', 'a'),
      lease('relay/seat/1', 'b'),
      lease('projector/seat/0', 'a'),
      lease('projector/partition/3', 'a'),
    ];
    expect(judgeLeases(held)).toMatchObject([
      { name: 'running relay', state: 'good', detail: '2 running, a leads' },
      { name: 'running projector', state: 'warning', detail: expect.stringContaining('7 of 8 partitions') },
      { name: 'running fulfilment', state: 'warning', detail: 'None.' },
    ]);
  });

  test.each<[Partial<Lag>, boolean, string]>([
    [{}, true, 'good'],
    [{ lagEvents: 5, lagSeconds: 3 }, true, 'good'],
    [{ lagEvents: 5, lagSeconds: 300 }, true, 'warning'],
    [{ lagEvents: 5, lagSeconds: 300 }, false, 'skipped'],
  ])('a lag of %j, moving: %s', (lag, moves, state) => {
    const relay = { position: '1', lagEvents: 0, lagSeconds: 0, ...lag };
    expect(judgeLags({ log: { position: '1' }, relay, projections: [] }, moves)).toMatchObject([{ state }]);
  });

  test('the end of the log, by what cannot be read in it', () => {
    expect(judgeLog(3, true, [])).toMatchObject({ state: 'good', detail: 'all can be read: 3' });
    expect(judgeLog(3, false, [])).toMatchObject({ state: 'good', detail: 'the last 3 can be read' });
    const faults = Array.from({ length: 12 }, (_, at) => new StreamUnreadable('order-1', at, at + 20, 'it is broken'));
    const { state, detail } = judgeLog(3, true, faults);
    expect(state).toBe('warning');
    expect(detail).toMatch('revision 0 of stream order-1, position 20, cannot be read: it is broken; ');
    expect(detail).toMatch(/; and 2 more\.$/);
  });

  test('a stream that is whole and will not stay so', () => {
    const threat = { stream: 'order-1', detail: 'It is held to its last 10 events.' };
    expect(judgeLog(3, true, [], [threat])).toMatchObject({
      state: 'warning',
      detail: 'order-1 will lose events: It is held to its last 10 events.',
      mend: expect.stringMatching(/before it has cut anything/),
    });
    // What is gone is told first.
    expect(judgeLog(3, true, [new StreamUnreadable('order-1', 0, 9, 'it is broken')], [threat]).detail).toMatch(
      'broken',
    );
  });

  test('what became of streams, by name', () => {
    expect(judgeMarks(['orders a: it was cut', 'orders b: it was cut'])).toMatchObject({
      state: 'warning',
      detail: 'orders a: it was cut; orders b: it was cut.',
    });
  });

  test.each([
    [0, true, 'good'],
    [3, true, 'warning'],
    [3, false, 'skipped'],
  ])('%s orders that are overdue, moving: %s', (count, moves, state) => {
    expect(judgeOverdue(count, moves).state).toBe(state);
  });
});
