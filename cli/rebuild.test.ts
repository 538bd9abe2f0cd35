import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { dataFiles } from '@waybill/infra/process/config.js';
import { lockDataFolder } from '@waybill/infra/process/data-folder.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import type { RebuildOutcome } from '@waybill/shared-kernel/ports/collection-versions.js';
import { orders } from '@waybill/projections/read-models/orders.js';
import { atVersion } from '@waybill/projections/rebuild/versions.js';
import { Waybill } from './testing/waybill.js';
import { at } from '@waybill/shared-kernel/testing/at.js';

interface Report extends RebuildOutcome {
  readonly projection: string;
  readonly live: number;
  readonly previous: number | null;
}

let waybill: Waybill;

beforeEach(async () => {
  waybill = new Waybill();
  await waybill.importSmall();
});

afterEach(() => {
  waybill.remove();
});

/** The version and the position of each read model. */
async function versions(): Promise<Record<string, number>> {
  const { projections } = await waybill.json<{ projections: { name: string; version: number }[] }>('status');
  return Object.fromEntries(projections.map(({ name, version }) => [name, version]));
}

/** Writes what no event says into a document of a version. */
async function spoil(version: number): Promise<string> {
  const store = openSqliteReadStore(dataFiles(waybill.dataFolder).readModels);
  try {
    const { collection } = atVersion(orders, version);
    await store.declare(collection);
    const [document] = await store.scan(collection, undefined, 1);
    const { key, revisions, sections, fields, partition } = document!;
    const order = { ...(sections['order'] as object), spoilt: true };
    const write = { key, expected: revisions, revisions, sections: { ...sections, order }, fields, projectedAt: 'now' };
    await store.commit({ collection, partition, writes: [write], position: at(0) });
    return key;
  } finally {
    await store.close();
  }
}

describe('waybill rebuild where no server runs', () => {
  test('makes the next version and switches to it; --rollback goes back', async () => {
    const first = await waybill.run('rebuild', 'orders');
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/^Version 3 of orders is read now: \d+ documents that agree with the log\.\n/);
    expect(first.stdout).toMatch('Version 2 is kept: npx waybill rebuild orders --rollback goes back to it.');
    expect(await versions()).toEqual({ orders: 3, deliveries: 3, products: 1, customers: 1 });
    const back = await waybill.json<Report>('rebuild', 'orders', '--rollback');
    expect(back).toMatchObject({ projection: 'orders', kind: 'rollback', result: 'switched', live: 2, previous: 3 });
    expect(await versions()).toMatchObject({ orders: 2 });
    expect(await waybill.json('audit', 'verify')).toMatchObject({ ok: true });
  });

  test('mends what is wrong, and says what that was', async () => {
    const key = await spoil(2);
    expect(await waybill.json('audit', 'verify')).toMatchObject({ ok: false });
    const { stdout, code } = await waybill.run('rebuild', 'orders');
    expect(code).toBe(0);
    expect(stdout).toMatch(`It mends 1 difference:\n  ${key} at /sections/order/spoilt\n`);
    expect(await waybill.json('audit', 'verify')).toMatchObject({ ok: true });
  });

  test('does not go back to what differs from the log: 1, with the difference', async () => {
    await waybill.run('rebuild', 'orders');
    const key = await spoil(2);
    const { stdout, code } = await waybill.run('rebuild', 'orders', '--rollback');
    expect(code).toBe(1);
    expect(stdout).toMatch(
      'Version 2 of orders differs from the log. It is kept as it is, and version 3 is read as before.',
    );
    expect(stdout).toMatch(
      `1 difference:\n  ${key} at /sections/order/spoilt\n    log says   null\n    stored is  true\n`,
    );
    expect(await versions()).toMatchObject({ orders: 3 });
  });

  test('goes back to nothing where there is nothing: 2', async () => {
    const { code, stderr } = await waybill.run('rebuild', 'orders', '--rollback');
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'There is no version of orders before version 2 to go back to: it was never rebuilt.\n',
    });
  });

  test('of what is no read model: 2, with those that there are', async () => {
    const { code, stderr } = await waybill.run('rebuild', 'everything');
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr:
        'There is no read model everything; there are orders, deliveries, products, customers, worklist, fulfilment.\n',
    });
  });

  test.each(['worklist', 'fulfilment'])('of the list %s, which fulfilment keeps, mends it in place', async (name) => {
    expect(await waybill.json<Report>('rebuild', name)).toMatchObject({
      ...{ projection: name, kind: 'rebuild', result: 'switched', previous: null, documents: 0 },
      mended: { count: 0, first: [] },
    });
    const { code, stderr } = await waybill.run('rebuild', name, '--rollback');
    expect({ code, stderr }).toEqual({ code: 2, stderr: `There is no version of ${name} to go back to.\n` });
  });

  test('that is interrupted says what becomes of it, and status too; the next one goes on', async () => {
    // A folder that somebody uses, who does not answer.
    const lock = lockDataFolder(waybill.dataFolder);
    const { child, ended } = waybill.start('rebuild', 'orders');
    try {
      for (let isAsked = false; !isAsked;) {
        const { projections } = await waybill.json<{ projections: { rebuild: object | null }[] }>('status');
        isAsked = projections[0]?.rebuild !== null;
      }
      child.kill('SIGINT');
      expect(await ended).toEqual({
        code: 130,
        stdout: '',
        // Behind how far it was, where that took long.
        stderr: expect.stringMatching(
          /^(?:orders version 3: .*\n)*The running projector goes on with it; npx waybill status shows how far it is\.\n$/,
        ),
      });
      expect((await waybill.run('status')).stdout).toMatch('rebuild to version 3: waits for a projector');
      const another = await waybill.run('rebuild', 'orders');
      expect(another).toMatchObject({ code: 2, stderr: 'A rebuild of orders is under way, to version 3.\n' });
    } finally {
      lock?.release();
    }
    expect(await waybill.json('rebuild', 'orders')).toMatchObject({ result: 'switched', live: 3 });
  });
});
