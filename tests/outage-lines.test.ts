import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { StandInServer } from '@waybill/infra/event-store/eventstoredb/testing/stand-in-server.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { operatorToken } from './support/command-line.js';
import { startServer, type Server } from './support/server.js';
import { waitUntil } from './support/wait-until.js';
import { post } from './support/write-client.js';

// Processes are started.
jest.setTimeout(300_000);

let folder: string;
let eventStore: StandInServer;
let server: Server;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waybill-outage-'));
  eventStore = await StandInServer.listen();
  server = await startServer(folder, { WAYBILL_EVENT_STORE: eventStore.url });
});

afterEach(async () => {
  await server.stop('SIGKILL');
  eventStore.kill();
  await rm(folder, { recursive: true, force: true });
});

/** Faults counted so far, of whatever. */
async function faults(): Promise<number> {
  const metrics = await (await fetch(`${server.writeUrl}/metrics`)).text();
  const counts = [...metrics.matchAll(/^waybill_faults_total\{.*\} (\d+)$/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** What the log says, but for what it says of a request. */
function lines(): readonly string[] {
  return [...server.output().matchAll(/^\{.*\}$/gm)].flatMap(([line]) => {
    const { of, msg, requestId } = JSON.parse(line) as Readonly<Record<'of' | 'msg' | 'requestId', string | undefined>>;
    return requestId === undefined ? [`${of}: ${msg}`] : [];
  });
}

test('an outage of EventStoreDB is told of in one line as it begins and one as it ends, by all that is in one process', async () => {
  const token = await operatorToken(folder);
  const product = { productId: 'tea', name: 'Tea', unitPrice: { amount: 900, currency: 'EUR' } };
  const place = async (key: string) => (await post(server.writeUrl, '/v1/products', token, key, product)).status;
  await waitUntil('products are taken', async () => (await place('1')) === 201);
  const before = lines().length;
  const faultsBefore = await faults();
  eventStore.kill();
  // Both connections have met it, and some calls after it was told of. Who follows the log tries on silently.
  const refusals: number[] = [];
  await until(async () => {
    refusals.push(await place('2'));
    return refusals.length >= 5 && (await faults()) >= faultsBefore + 2;
  });
  expect(new Set(refusals)).toEqual(new Set([503]));
  const begun = /^event store: EventStoreDB (cannot be reached \(.*\)|has not answered for \d+ ms)\.$/;
  expect(lines().slice(before)).toEqual([expect.stringMatching(begun)]);
  await eventStore.restart();
  const isOver = /^event store: EventStoreDB answers again, after \d+\.\d s\.$/;
  await waitUntil('it is told that it is over', async () => {
    await place('3');
    return lines().slice(before + 1).length > 0;
  });
  // On a machine that is busy it may seem lost again.
  expect(lines()[before + 1]).toMatch(isOver);
});
