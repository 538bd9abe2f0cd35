import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { issueDevelopmentToken, openDevelopmentKey } from '@waybill/infra/http/identity/development-key.js';
import { PartProcess } from './support/part-process.js';
import { post } from './support/write-client.js';

let folder: string;
let processes: readonly PartProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-one-key-'));
  const start = () =>
    PartProcess.start('write-api', {
      WAYBILL_DATA: folder,
      WAYBILL_WRITE_PORT: '0',
      // It has no use for a broker, but processes of their own need one that does not end with them.
      WAYBILL_BROKER: 'amqp://127.0.0.1:1',
    });
  processes = [await start(), await start()];
});

afterEach(async () => {
  await Promise.all(processes.map((process) => process.kill()));
  await rm(folder, { recursive: true, force: true });
});

test('two processes of the write API, one key, two orders asked for at once: one is placed', async () => {
  const key = await openDevelopmentKey(dataFiles(folder).developmentKey);
  const token = await issueDevelopmentToken(key, { sub: 'shop', roles: ['operator', 'merchant'] }, systemClock);
  const urls = processes.map(({ url }) => url);
  const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
  const product = { productId: 'tea', name: 'Tea', unitPrice: { amount: 900, currency: 'EUR' } };
  expect((await post(urls[0]!, '/v1/products', token, 'p', product)).status).toBe(201);
  const customer = { customerId: 'ann', name: 'Ann', phone: '+49 30 1', address };
  expect((await post(urls[0]!, '/v1/customers', token, 'c', customer)).status).toBe(201);
  const cart = { customerId: 'ann', lines: [{ productId: 'tea', quantity: 1 }], payment: { token: 'tok_approve' } };
  const rounds = 40;
  for (let round = 0; round < rounds; round += 1) {
    const bodies = [{ ...cart, orderId: `x-${round}` }, round % 2 === 0 ? cart : { ...cart, orderId: `y-${round}` }];
    const answers = await Promise.all(
      bodies.map((body, at) => post(urls[at]!, '/v1/orders', token, `k${round}`, body)),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 422]);
  }
  const log = openSqliteEventStore(dataFiles(folder).log, { clock: systemClock });
  const { events } = await log.readAll(0, 1_000);
  await log.close();
  expect(events.filter(({ type }) => type === 'OrderPlaced')).toHaveLength(rounds);
});
