import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import {
  ownServers,
  standIn,
  type RunningServer,
} from '@waybill/infra/event-store/eventstoredb/testing/server-under-test.js';
import { Deployment, reporting } from '../support/deployment.js';
import { fetchSeeing } from '../support/fetch-seeing.js';
import { partNames } from '../support/part-process.js';
import { ScratchServers } from '../support/scratch-servers.js';
import { SentCommands } from '../support/sent-commands.js';
import { describeWithServers } from '../support/servers-under-test.js';
import { waitUntil } from '../support/wait-until.js';
import { post } from '../support/write-client.js';

jest.setTimeout(300_000);

// A server that is only named is not put back.
const server = ownServers.at(-1) ?? standIn;

describeWithServers(`an older log is restored under running processes, on ${server.name}, RabbitMQ and MongoDB`, () => {
  let servers: ScratchServers;
  let eventStore: RunningServer;
  let deployment: Deployment;
  let token: string;
  let commands: SentCommands;

  beforeAll(async () => {
    [servers, eventStore] = await Promise.all([ScratchServers.create(), server.start()]);
    deployment = await Deployment.create(servers.with(eventStore.url));
    token = await deployment.token('restorer');
    commands = new SentCommands('restorer', token);
    await deployment.startAll(partNames);
    await commands.setTheTable(deployment.the('write-api').url);
  });

  afterAll(async () => {
    await deployment.dispose();
    await eventStore.dispose();
    await servers.dispose();
  });

  /** Places orders; the consistency token of the last. */
  async function place(...orderIds: readonly string[]): Promise<string> {
    let last = '';
    for (const orderId of orderIds) {
      const body = { ...commands.order, orderId };
      const answer = await post(deployment.the('write-api').url, '/v1/orders', token, `key-${orderId}`, body);
      expect([answer.status, answer.text]).toEqual([201, expect.any(String)]);
      last = answer.headers.get('consistency-token')!;
    }
    return last;
  }

  async function read(path: string, write = ''): Promise<{ status: number; body: unknown }> {
    const waiting = write === '' ? {} : { 'consistency-token': write, prefer: 'wait=10' };
    const headers = { authorization: `Bearer ${token}`, ...waiting };
    const answer = await fetchSeeing(deployment.the('read-api').url + path, headers);
    return { status: answer.status, body: await answer.json() };
  }

  async function orderIds(status?: string): Promise<readonly string[]> {
    const { body } = await read(`/v1/orders?limit=100${status === undefined ? '' : `&status=${status}`}`);
    return (body as { items: { orderId: string }[] }).items.map(({ orderId }) => orderId).sort();
  }

  test('nothing is answered from what is of the other log, and one command makes everything anew', () =>
    reporting(deployment, async () => {
      await place('a1', 'a2', 'a3', 'a4');
      await deployment.settled();
      const restore = await eventStore.save();
      await place('b1', 'b2', 'b3', 'b4', 'b5', 'b6');
      await deployment.settled();

      await restore();
      const mismatch = { status: 503, body: { type: 'urn:waybill:problem:log-mismatch' } };
      await waitUntil('reads are refused', async () => (await read('/v1/orders')).status === 503);
      expect(await read('/v1/orders')).toMatchObject(mismatch);
      // More than there was, so that the log is no longer shorter than what was made from the other.
      const placed = Array.from({ length: 12 }, (_, index) => `c${index}`);
      const write = await place(...placed);
      expect(await read('/v1/orders/c11', write)).toMatchObject(mismatch);
      await expect(deployment.print('status')).rejects.toThrow(/ended with 3:[^]*made from another log/);

      const rebuilt = await deployment.waybill<{ projection: string; result: string }[]>('rebuild', '--all');
      expect(rebuilt.filter(({ result }) => result !== 'switched')).toEqual([]);
      expect(await read('/v1/orders/c11', write)).toMatchObject({ status: 200 });
      expect(await read('/v1/orders/b1')).toMatchObject({ status: 404 });
      await waitUntil('all are confirmed', async () => (await orderIds('confirmed')).length === 16);
      expect(await orderIds()).toEqual(['a1', 'a2', 'a3', 'a4', ...placed].sort());
      // What was met of the other log is owed by nobody.
      expect(deployment.report()).not.toContain('has stopped delivering');
      expect(await deployment.waybill('audit', 'verify')).toMatchObject({ ok: true, differences: [] });
    }));
});
