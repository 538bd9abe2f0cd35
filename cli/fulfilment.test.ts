import { userInfo } from 'node:os';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { worklistNote } from '@waybill/command-side/fulfilment/worklist/testing/worklist-note.js';
import type { WorklistItem } from '@waybill/command-side/fulfilment/worklist/worklist.js';
import { WorklistWriter } from '@waybill/command-side/fulfilment/worklist/worklist-writer.js';
import type { FulfilmentEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { liveProjections } from '@waybill/projections/rebuild/change-versions.js';
import { onFulfilment, placed } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';
import { Waybill } from './testing/waybill.js';

// Each test starts some processes.
jest.setTimeout(180_000);

const past = '2026-03-01T12:00:00.000Z';
const earlier = '2026-03-01T11:00:00.000Z';
const future = '2999-01-01T00:00:00.000Z';

let waybill: Waybill;

beforeEach(() => {
  waybill = new Waybill();
});

afterEach(() => {
  waybill.remove();
});

/** What a process manager left behind, which does not run any more. */
async function left(notes: readonly (WorklistItem & { readonly orderId: string })[]): Promise<void> {
  prepareDataFolder(waybill.dataFolder);
  const files = dataFiles(waybill.dataFolder);
  const store = openSqliteEventStore(files.log, { clock: systemClock });
  const readStore = openSqliteReadStore(files.readModels);
  const worklist = new WorklistWriter({ readStore, clock: systemClock });
  for (const note of notes) {
    const { orderId, ...item } = note;
    const items = [{ productId: 'P-1', quantity: 2 }];
    const events: FulfilmentEvent[] = [
      { type: 'FulfilmentStarted', data: { orderId, customerId: 'ada', items, amount: 10500, currency: 'EUR' } },
      { type: 'FulfilmentStockReserved', data: { orderId, items } },
      {
        type: 'FulfilmentPaymentRequested',
        data: { orderId, step: 'authorise', attempt: 1, retryAt: past, until: null },
      },
    ];
    await appendAll(store, [placed(orderId), ...events.map((event) => onFulfilment(orderId, event))]);
    worklist.note(worklistNote(orderId, events.length - 1, item));
    await worklist.flush(partitionOf(orderId));
  }
  await liveProjections(projections, readStore);
  await readStore.close();
  await store.close();
}

const late = { orderId: 'late', state: 'authorising', deadline: 'payment', dueAt: past, since: earlier } as const;
const later = { ...late, orderId: 'later', dueAt: '2026-03-01T12:30:00.000Z' };
const open = { orderId: 'open', state: 'delivering', deadline: 'courier', dueAt: future, since: earlier } as const;
const waiting = { orderId: 'waiting', state: 'confirming', deadline: null, dueAt: null, since: earlier } as const;
const done = { orderId: 'done', state: 'completed', deadline: null, dueAt: null, since: past } as const;

interface Listed {
  readonly fulfilments: readonly { readonly orderId: string }[];
  readonly more: boolean;
}

async function list(...words: readonly string[]): Promise<readonly string[]> {
  const { fulfilments } = await waybill.json<Listed>('fulfilment', 'list', ...words);
  return fulfilments.map(({ orderId }) => orderId);
}

describe('waybill fulfilment list', () => {
  beforeEach(() => left([waiting, open, done, later, late]));

  test('shows what is under way, that first which is due first', async () => {
    expect(await waybill.json('fulfilment', 'list')).toEqual({
      fulfilments: [
        { ...late, isOverdue: true },
        { ...later, isOverdue: true },
        { ...open, isOverdue: false },
        { ...waiting, isOverdue: false },
      ],
      more: false,
    });
    expect(await list('--overdue')).toEqual(['late', 'later']);
    expect(await list('--state', 'delivering')).toEqual(['open']);
    expect(await list('--state', 'delivering', '--overdue')).toEqual([]);
    expect(await waybill.json('fulfilment', 'list', '--limit', '1')).toMatchObject({
      fulfilments: [{ orderId: 'late' }],
      more: true,
    });
    const { code, stdout, stderr } = await waybill.run('fulfilment', 'list', '--limit', '3');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/late +authorising +\S+Z +payment, overdue since 2026-03-01T12:00:00.000Z\n[^]*and more/);
    expect((await waybill.run('fulfilment', 'list', '--state', 'capturing')).stdout).toBe('There is none.\n');
  });

  test('is summed up by the status', async () => {
    const { fulfilment } = await waybill.json<{ readonly fulfilment: unknown }>('status');
    const meanSeconds = expect.any(Number) as unknown;
    expect(fulfilment).toEqual({
      states: {
        authorising: { count: 2, overdue: 2, meanSeconds },
        confirming: { count: 1, overdue: 0, meanSeconds },
        delivering: { count: 1, overdue: 0, meanSeconds },
      },
      overdue: 2,
      oldest: late,
    });
    const { stdout } = await waybill.run('status');
    expect(stdout).toMatch(/authorising +2 orders +for \S+ days on average; 2 orders overdue\n/);
    expect(stdout).toMatch(/2 orders overdue, late \(payment\) since 2026-03-01T12:00:00.000Z\n/);
  });
});

test('the doctor looks at what is overdue', async () => {
  await left([open, later, late]);
  const { checks } = await waybill.json<{ readonly checks: readonly object[] }>('doctor');
  const detail = '2 orders are past their deadline; it goes on when a server runs';
  expect(checks).toContainEqual({ name: 'fulfilment', state: 'skipped', detail });
});

describe('waybill fulfilment show', () => {
  beforeEach(() => left([late]));

  test('tells how an order stands, and what happened', async () => {
    expect(await waybill.json('fulfilment', 'show', 'late')).toMatchObject({
      ...late,
      isOverdue: true,
      outcome: null,
      heldBack: null,
      charge: { amount: 10500, currency: 'EUR' },
      payment: null,
      asked: { step: 'authorise', attempt: 1 },
      reserved: [{ productId: 'P-1', quantity: 2 }],
      events: [
        { type: 'FulfilmentStarted' },
        { type: 'FulfilmentStockReserved' },
        { type: 'FulfilmentPaymentRequested' },
      ],
    });
    const { code, stdout } = await waybill.run('fulfilment', 'show', 'late');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Order late\n +state +authorising\n[^]*set aside +2 × P-1\nEvents\n +0 /);
  });

  test('an order that a version without a worklist carried to its end is completed', async () => {
    await left([]);
    const store = openSqliteEventStore(dataFiles(waybill.dataFolder).log, { clock: systemClock });
    const begun = { orderId: 'old', customerId: 'ada', items: [], amount: null, currency: null };
    const end = { orderId: 'old', outcome: 'delivered' } as const;
    await appendAll(store, [
      placed('old'),
      onFulfilment('old', { type: 'FulfilmentStarted', data: begun }),
      onFulfilment('old', { type: 'FulfilmentCompleted', data: end }),
    ]);
    await store.close();
    expect((await waybill.run('fulfilment', 'show', 'old')).stdout).toMatch(
      /^Order old\n +state +completed, delivered\n/,
    );
  });

  test.each([
    ['show', 'nobody'],
    ['retry', 'nobody', '--reason', 'late'],
    ['compensate', 'nobody', '--reason', 'late'],
  ])('%s %s is 1, and says so', async (...words) => {
    const { code, stdout, stderr } = await waybill.run('fulfilment', ...words);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Order nobody has no fulfilment.\n',
    });
  });
});

describe('without a server', () => {
  beforeEach(() => left([late, done]));

  test('a request is noted, with who and why, for when there is one', async () => {
    const retried = await waybill.run('fulfilment', 'retry', 'late', '--reason', ' the gateway is back ');
    expect(retried).toMatchObject({ code: 0, stderr: 'It is done as soon as fulfilment runs and comes to it.\n' });
    expect(retried.stdout).toMatch(/^Noted in the log.\nOrder late\n/);
    const { taken, fulfilment } = await waybill.json<{ taken: boolean; fulfilment: object }>(
      ...['fulfilment', 'compensate', 'late', '--reason', 'asked by phone'],
    );
    expect({ taken, fulfilment }).toMatchObject({
      taken: false,
      fulfilment: { orderId: 'late', state: 'authorising' },
    });
    const { events } = await waybill.json<{ events: readonly object[] }>('fulfilment', 'show', 'late');
    const actor = { sub: userInfo().username, role: 'operator' };
    expect(events.slice(3)).toMatchObject([
      { type: 'FulfilmentRetryRequested', actor, data: { orderId: 'late', reason: 'the gateway is back' } },
      { type: 'FulfilmentCompensationRequested', actor, data: { orderId: 'late', reason: 'asked by phone' } },
    ]);
    expect((await waybill.run('fulfilment', 'show', 'late')).stdout).toMatch(
      /FulfilmentRetryRequested +by \S+: the gateway is back\n/,
    );
    expect(JSON.stringify(await waybill.json('replay', 'order', 'late'))).toContain('the gateway is back');
  });

  test('what makes no sense is refused, and nothing is noted', async () => {
    expect(await waybill.run('fulfilment', 'retry', 'done', '--reason', 'late')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'The fulfilment of order done is completed; nothing is due.\n',
    });
    const { events } = await waybill.json<{ events: readonly object[] }>('fulfilment', 'show', 'done');
    expect(events).toHaveLength(3);
  });
});

test('a log that no process manager ever saw has nothing under way', async () => {
  await left([]);
  expect(await waybill.json('fulfilment', 'list')).toEqual({ fulfilments: [], more: false });
});
