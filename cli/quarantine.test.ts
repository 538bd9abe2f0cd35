import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { catchUp } from '@waybill/projections/projecting/catch-up.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import type { QuarantineEntry } from '@waybill/projections/quarantine/entries.js';
import { liveProjections } from '@waybill/projections/rebuild/change-versions.js';
import { fragile } from '@waybill/projections/testing/fragile.js';
import { broken, cancelled, confirmed, listed, placed, type Happening } from '@waybill/projections/testing/history.js';
import { appendAll } from '@waybill/projections/testing/logs.js';
import { Waybill } from './testing/waybill.js';

let waybill: Waybill;

beforeEach(() => {
  waybill = new Waybill();
});

afterEach(() => {
  waybill.remove();
});

/** Appends to the log of the data folder, and projects it as a program would that some events break. */
async function happen(happenings: readonly Happening[], breaking: readonly Happening[] = []): Promise<void> {
  prepareDataFolder(waybill.dataFolder);
  const files = dataFiles(waybill.dataFolder);
  const store = openSqliteEventStore(files.log, { clock: systemClock });
  const readStore = openSqliteReadStore(files.readModels);
  await appendAll(store, happenings);
  const breaks = new Map(breaking.map(({ event }) => [event.id, 'fold'] as const));
  const asWritten = (projection: Projection) => (projection === orders ? fragile(orders, breaks) : projection);
  const live = await liveProjections(projections.map(asWritten), readStore);
  await catchUp(live, { store, readStore, clock: systemClock });
  await readStore.close();
  await store.close();
}

const list = async (...words: readonly string[]) =>
  (await waybill.json<{ entries: readonly QuarantineEntry[] }>('quarantine', 'list', ...words)).entries;

describe('with nothing in quarantine', () => {
  beforeEach(() => happen([placed('o1')]));

  test('the list is empty', async () => {
    expect(await list()).toEqual([]);
    expect(await waybill.run('quarantine', 'list')).toEqual({
      code: 0,
      stdout: 'Nothing is in quarantine.\n',
      stderr: '',
    });
  });

  test('releasing everything is good', async () => {
    expect(await waybill.json('quarantine', 'release', '--all')).toEqual({ released: [], failed: [] });
  });

  test.each([
    ['show', 'o1'],
    ['release', 'o1'],
    ['release', 'nobody', '--json'],
  ])('a key that is not there is 1: %s %s', async (...words) => {
    const { code, stdout, stderr } = await waybill.run('quarantine', ...words);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(`There is no ${words[1]} in quarantine.\n`);
  });
});

describe('with documents in quarantine', () => {
  const mended = confirmed('o1');
  const poison = cancelled('o2');
  beforeEach(() =>
    happen(
      [placed('o1'), placed('o2'), mended, broken(poison), confirmed('o2'), placed('o3'), broken(listed('P-1'))],
      [mended],
    ),
  );

  const names = (entries: readonly QuarantineEntry[]) => entries.map(({ projection, key }) => [projection, key]);

  test('they are listed with event and error', async () => {
    const entries = await list();
    expect(names(entries)).toEqual([
      ['orders', 'o1'],
      ['orders', 'o2'],
      ['products', 'P-1'],
    ]);
    expect(entries[1]).toEqual({
      projection: 'orders',
      version: 2,
      key: 'o2',
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as unknown,
      triedAt: entries[1]!.since,
      error: expect.stringMatching(/^TypeError: /) as unknown,
      event: { id: poison.event.id, stream: 'order-o2', revision: 1, position: '4', type: 'OrderCancelled' },
      waiting: 2,
    });
    expect(names(await list('--projection', 'products'))).toEqual([['products', 'P-1']]);
    const { code, stdout } = await waybill.run('quarantine', 'list');
    expect(code).toBe(0);
    expect(stdout).toMatch(/orders +o2 +\S+Z +OrderCancelled, revision 1 +2 +TypeError: /);
  });

  test('one is shown with what waits', async () => {
    const { entries } = await waybill.json<{ entries: readonly object[] }>('quarantine', 'show', 'o2');
    expect(entries).toMatchObject([
      {
        projection: 'orders',
        key: 'o2',
        waiting: 2,
        events: [
          { position: '4', stream: 'order-o2', revision: 1, type: 'OrderCancelled' },
          { position: '5', stream: 'order-o2', revision: 2, type: 'OrderConfirmed' },
        ],
      },
    ]);
    const { code, stdout } = await waybill.run('quarantine', 'show', 'o2');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^orders o2 \(version 2\)\n[^]*error +TypeError[^]*Waiting\n +4 .*\n +5 .*\n$/);
  });

  test('the status counts them, and an audit has nothing against them', async () => {
    const status = await waybill.json<{ projections: readonly { name: string; quarantined: number }[] }>('status');
    expect(status).toMatchObject({ quarantine: 3, deadLetters: null });
    expect(status.projections.map(({ name, quarantined }) => [name, quarantined])).toEqual([
      ['orders', 2],
      ['deliveries', 0],
      ['products', 1],
      ['customers', 0],
    ]);
    expect((await waybill.run('status')).stdout).toMatch(/2 documents in quarantine\n[^]*3 documents in quarantine\n$/);
    const audit = await waybill.run('audit', 'verify');
    expect(audit.code).toBe(0);
    expect(audit.stdout).toMatch(/^Good: [^]*In quarantine, and right as far as they go: 3 documents/);
  });

  test('one that is mended is released', async () => {
    const { code, stdout } = await waybill.run('quarantine', 'release', 'o1');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Released 1 document.\n' });
    expect(names(await list())).toEqual([
      ['orders', 'o2'],
      ['products', 'P-1'],
    ]);
    expect(await waybill.json('audit', 'verify')).toMatchObject({ ok: true, differences: [] });
    expect((await waybill.run('quarantine', 'release', 'o1')).code).toBe(1);
  });

  test('one that fails again stays, and that is 1', async () => {
    const [, before] = await list();
    const { code, stdout } = await waybill.run('quarantine', 'release', 'o2', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ released: [], failed: [{ projection: 'orders', key: 'o2' }] });
    const after = (await list())[1]!;
    expect(after.since).toBe(before!.since);
    expect(after.triedAt > before!.triedAt).toBe(true);
  });

  test('all of them are tried, and those that can be are released', async () => {
    const { code, stdout } = await waybill.run('quarantine', 'release', '--all', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      released: [{ projection: 'orders', key: 'o1' }],
      failed: [
        { projection: 'orders', key: 'o2' },
        { projection: 'products', key: 'P-1' },
      ],
    });
    const people = await waybill.run('quarantine', 'release', '--all');
    expect(people.code).toBe(1);
    expect(people.stdout).toMatch(/^Released 0 documents\.\n2 documents failed again:\n/);
  });

  test('the past of an order shows it as far as it goes', async () => {
    const { order } = await waybill.json<{ order: object }>('replay', 'order', 'o2');
    expect(order).toMatchObject({ status: 'placed', degraded: { reason: expect.stringMatching('OrderCancelled') } });
    const history = await waybill.run('replay', 'history', '--as-of', '2099-01-01T00:00:00Z', '--json');
    expect(history.code).toBe(0);
    expect(history.stdout.trim().split('\n')).toHaveLength(3);
  });
});
