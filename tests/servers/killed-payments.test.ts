import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { systemClock } from '@waybill/infra/clock/system.js';
import { openEventStore } from '@waybill/infra/process/engines.js';
import { freePort } from '@waybill/infra/testing/loopback-port.js';
import { TcpProxy } from '@waybill/infra/testing/tcp-proxy.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { Deployment, reporting } from '../support/deployment.js';
import { FollowedLog } from '../support/followed-log.js';
import { bookedIn } from '../support/money.js';
import type { PartProcess } from '../support/part-process.js';
import { ScratchServers } from '../support/scratch-servers.js';
import { seed } from '../support/seed.js';
import { describeWithServers, logs } from '../support/servers-under-test.js';
import { endingOf, hasEnded, piecesLeft, saidTwice, wronglyBooked } from '../support/shop/ending.js';
import { plansOf } from '../support/shop/plan.js';
import { Shop, type Story } from '../support/shop/story.js';
import { waitUntil } from '../support/wait-until.js';

jest.setTimeout(400_000);

/** Unlike that of other runs on the same log. */
const run = randomUUID().slice(0, 8);
const ordersAtOnce = runs(6, 15);

describeWithServers.each(logs)('payments under way on $log, RabbitMQ and MongoDB', ({ server }) => {
  let servers: ScratchServers;
  let toRabbitMq: TcpProxy;
  let deployment: Deployment;
  let gatewayPort: number;
  let log: FollowedLog;
  let shop: Shop;

  beforeAll(async () => {
    servers = await ScratchServers.create(server);
    toRabbitMq = await TcpProxy.listen({ host: '127.0.0.1', port: servers.rabbitMq.port });
    gatewayPort = await freePort();
    deployment = await Deployment.create(servers.with(servers.eventStore, `amqp://127.0.0.1:${toRabbitMq.port}`), {
      WAYBILL_WEBHOOK_SECRET: 'the gateway and we know it',
    });
    const token = await deployment.token('shop');
    await deployment.startAll(['write-api', 'read-api', 'relay', 'projector']);
    await startGateway();
    await Promise.all([startFulfilment(), startFulfilment()]);
    log = new FollowedLog(openEventStore(deployment.config, { clock: systemClock }));
    shop = new Shop({ run, token, log, url: () => Promise.resolve(deployment.the('write-api').url) });
    await shop.open();
  });

  afterAll(async () => {
    await log.close();
    await deployment.dispose();
    await toRabbitMq.close();
    await servers.dispose();
  });

  function startGateway(): Promise<PartProcess> {
    return deployment.start('payment-simulator', {
      WAYBILL_SIMULATOR_PORT: String(gatewayPort),
      WAYBILL_WEBHOOK_URL: `${deployment.the('write-api').url}/v1/payments/webhook`,
    });
  }

  function startFulfilment(): Promise<PartProcess> {
    return deployment.start('fulfilment', { WAYBILL_PAYMENT_URL: `http://127.0.0.1:${gatewayPort}` });
  }

  async function anotherFulfilment(): Promise<void> {
    await deployment.the('fulfilment').kill();
    await startFulfilment();
  }

  async function anotherGateway(): Promise<void> {
    await deployment.the('payment-simulator').kill();
    await startGateway();
  }

  /** Whoever had not said that a request is worked on gets it again: it is answered twice, the first time to nobody. */
  function cutOff(): Promise<void> {
    toRabbitMq.cut();
    return Promise.resolve();
  }

  test(`come to their end whoever is killed or cut off, each payment once (seed ${seed})`, () =>
    reporting(deployment, async () => {
      const faults = [cutOff, anotherFulfilment, anotherGateway, cutOff, anotherFulfilment];
      const plans = plansOf(seed, faults.length * ordersAtOnce);
      const stories: Promise<Story>[] = [];
      const asked = (): number => log.events.filter(({ type }) => type === 'FulfilmentPaymentRequested').length;
      for (const [index, fault] of faults.entries()) {
        const before = asked();
        for (const plan of plans.slice(index * ordersAtOnce, (index + 1) * ordersAtOnce)) {
          stories.push(shop.carryOut(plan, `o${stories.length}`));
        }
        await log.until('payments are under way', () => asked() >= before + ordersAtOnce / 3);
        await fault();
      }
      const all = await Promise.all(stories);
      const open = (): readonly Story[] => all.filter((story) => !hasEnded(story, log.of(story.orderId)));
      await log.until(
        () => `these have come to their end: ${JSON.stringify(open().map((s) => [s, endingOf(log.of(s.orderId))]))}`,
        () => open().length === 0,
      );

      expect(saidTwice(log.events.filter(({ partitionKey }) => partitionKey.endsWith(run)))).toEqual([]);
      const entries = await bookedIn(deployment.config.dataFolder);
      expect(all.flatMap((story) => wronglyBooked(story, log.of(story.orderId), entries))).toEqual([]);
      expect(entries.filter(({ reference }) => !all.some(({ orderId }) => orderId === reference))).toEqual([]);
      for (const kind of ['cup', 'rare'] as const) {
        const stock = piecesLeft(kind, all, (orderId) => log.of(orderId));
        expect({ kind, data: log.of(shop.productOf(kind)).at(-1)?.data }).toMatchObject({ kind, data: { stock } });
      }
      await waitUntil('the read models equal the log', async () => {
        return (await deployment.waybill<{ ok: boolean }>('audit', 'verify')).ok;
      });
    }));
});
