import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { openLeases } from '@waybill/infra/process/engines.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { LeaseStore } from '@waybill/shared-kernel/ports/lease.js';
import { Deployment, reporting } from '../support/deployment.js';
import { fetchSeeing } from '../support/fetch-seeing.js';
import { partNames, type PartName } from '../support/part-process.js';
import { SentCommands } from '../support/sent-commands.js';
import { ScratchServers } from '../support/scratch-servers.js';
import { describeWithServers, logs } from '../support/servers-under-test.js';
import { SteadyLoad } from '../support/steady-load.js';
import { waitUntil } from '../support/wait-until.js';
import { type Answer, post } from '../support/write-client.js';

jest.setTimeout(300_000);

const caller = `shop-${randomUUID().slice(0, 8)}`;

describeWithServers.each(logs)('several of each process on $log, RabbitMQ and MongoDB', ({ server }) => {
  let servers: ScratchServers;
  let deployment: Deployment;
  let leases: LeaseStore;
  let token: string;
  let commands: SentCommands;

  beforeAll(async () => {
    servers = await ScratchServers.create(server);
    deployment = await Deployment.create(servers.with());
    leases = openLeases(deployment.config);
    token = await deployment.token('somebody');
    commands = new SentCommands(caller, await deployment.token(caller));
    await deployment.startAll([...partNames, ...partNames]);
    await commands.setTheTable(deployment.the('write-api').url);
  });

  afterAll(async () => {
    await leases.close();
    await deployment.dispose();
    await servers.dispose();
  });

  /** How many partitions each process of a group holds, rising. */
  async function shares(group: string): Promise<readonly number[]> {
    const counts = new Map<string, number>();
    for (const { owner } of await leases.held(`${group}/partition/`)) counts.set(owner, (counts.get(owner) ?? 0) + 1);
    return [...counts.values()].sort((left, right) => left - right);
  }

  async function fairShares(group: string, processes: number): Promise<void> {
    await waitUntil(`${processes} processes of ${group} have a fair share each`, async () => {
      const counts = await shares(group);
      const fair = counts.length === processes && counts.every((count) => count >= partitionCount / (processes + 1));
      return fair && counts.reduce((sum, count) => sum + count) === partitionCount;
    });
  }

  async function nothingLostOrDoubled(): Promise<void> {
    const events = await deployment.settled();
    const { lost, doubled, unexpected } = commands.compare(events);
    expect({ lost, doubled, unexpected }).toEqual({ lost: [], doubled: [], unexpected: [] });
    expect(await deployment.unbalanced(events)).toEqual([]);
    expect(await deployment.waybill('audit', 'verify')).toMatchObject({ ok: true, differences: [] });
  }

  /** While commands come in, kills one of two, waits for what shows that the other took over, and starts another. */
  async function replaced(name: PartName, takenOver: () => Promise<void>): Promise<void> {
    const load = new SteadyLoad(commands, () => deployment.the('write-api').url);
    try {
      await load.answered(10);
      // Each in turn, so one of them was it that worked, if only one does.
      for (const part of deployment.running(name)) {
        await part.kill();
        await load.answered(10);
        await takenOver();
        await deployment.start(name);
      }
    } finally {
      await load.stop();
    }
    await nothingLostOrDoubled();
  }

  /** An order that was placed after this was asked for is projected. */
  async function projected(): Promise<void> {
    const placed = await place();
    const { orderId } = JSON.parse(placed.text) as { orderId: string };
    await waitUntil('an order is shown', async () => (await read(orderId)).status === 200);
  }

  function place(key: string = randomUUID(), index = 0): Promise<Answer> {
    return post(deployment.running('write-api')[index]!.url, '/v1/orders', token, key, commands.order);
  }

  function read(orderId: string, headers: Readonly<Record<string, string>> = {}, index = 0): Promise<Response> {
    const { url } = deployment.running('read-api')[index]!;
    return fetchSeeing(`${url}/v1/orders/${orderId}`, { ...headers, authorization: `Bearer ${token}` });
  }

  test('of two projectors each has a fair share of the partitions, and the other all when one is killed', () =>
    reporting(deployment, async () => {
      await fairShares('projector', 2);
      await replaced('projector', async () => {
        await fairShares('projector', 1);
        await projected();
      });
      await fairShares('projector', 2);
    }));

  test('fulfilment is divided likewise', () =>
    reporting(deployment, async () => {
      await fairShares('fulfilment', 2);
      await replaced('fulfilment', () => fairShares('fulfilment', 1));
      await fairShares('fulfilment', 2);
    }));

  test('of two relays one works, and the other when it is killed', () =>
    reporting(deployment, () => replaced('relay', projected)));

  test('of two write APIs on one order one wins, and both know each other’s keys', () =>
    reporting(deployment, async () => {
      const both = [0, 1];
      for (let round = 0; round < 10; round += 1) {
        const key = `both-${round}`;
        const placed = await Promise.all(both.map((index) => place(key, index)));
        const { orderId } = JSON.parse(placed[0]!.text) as { orderId: string };
        expect(placed.map(({ status, text }) => [status, text])).toEqual(both.map(() => [201, placed[0]!.text]));
        const cancelled = await Promise.all(
          both.map(async (index) => {
            const { url } = deployment.running('write-api')[index]!;
            return fetch(`${url}/v1/orders/${orderId}/cancellation`, {
              method: 'POST',
              headers: {
                'content-type': 'application/json',
                authorization: `Bearer ${token}`,
                'idempotency-key': `${key}-${index}`,
                'if-match': placed[0]!.headers.get('etag')!,
              },
              body: JSON.stringify({ reason: 'changed my mind' }),
            });
          }),
        );
        const events = (await deployment.log()).filter(({ stream }) => stream === `order-${orderId}`);
        expect(events.filter(({ type }) => type === 'OrderPlaced')).toHaveLength(1);
        // Fulfilment may have confirmed the order first; then nobody wins.
        const wins = cancelled.filter(({ status }) => status === 200).length;
        expect(events.filter(({ type }) => type === 'OrderCancelled')).toHaveLength(wins);
        expect(cancelled.filter(({ status }) => status !== 200).map(({ status }) => status)).toEqual(
          Array.from({ length: 2 - wins }, () => 412),
        );
        expect(wins).toBeLessThanOrEqual(1);
      }
    }));

  test('two read APIs show a reader’s own write, and either alone does', () =>
    reporting(deployment, async () => {
      const placed = await place();
      const { orderId } = JSON.parse(placed.text) as { orderId: string };
      const seeing = { 'consistency-token': placed.headers.get('consistency-token')!, prefer: 'wait=10' };
      const answers = await Promise.all([0, 1].map((index) => read(orderId, seeing, index)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      await deployment.the('read-api').kill();
      expect((await read(orderId, seeing)).status).toBe(200);
    }));

  test('all of them stop in order when they are told to, commands under way', () =>
    reporting(deployment, async () => {
      const load = new SteadyLoad(commands, () => deployment.the('write-api').url);
      await load.answered(10);
      for (const name of partNames) {
        const parts = deployment.running(name);
        // Of the write APIs one stays, for what is repeated.
        const stopping = name === 'write-api' ? parts.slice(1) : parts;
        const codes = await Promise.all(stopping.map((part) => part.stop()));
        expect([name, ...codes]).toEqual([name, ...stopping.map(() => 0)]);
      }
      await load.stop();
      expect(await deployment.the('write-api').stop()).toBe(0);
      await deployment.startAll(['relay', 'projector', 'fulfilment']);
      await nothingLostOrDoubled();
    }));
});
