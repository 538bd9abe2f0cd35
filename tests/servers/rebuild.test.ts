import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { inspectRabbitMq } from '@waybill/infra/broker/rabbitmq/inspect.js';
import { deliveries } from '@waybill/projections/read-models/deliveries.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import { Deployment, reporting } from '../support/deployment.js';
import { partNames } from '../support/part-process.js';
import { ReadingAllAlong } from '../support/reading-all-along.js';
import { SentCommands } from '../support/sent-commands.js';
import { ScratchServers } from '../support/scratch-servers.js';
import { describeWithServers, logs } from '../support/servers-under-test.js';
import { waitUntil } from '../support/wait-until.js';

jest.setTimeout(300_000);

describeWithServers.each(logs)('rebuilds on $log, RabbitMQ and MongoDB', ({ server }) => {
  let servers: ScratchServers;
  let deployment: Deployment;
  let commands: SentCommands;
  let token: string;

  beforeAll(async () => {
    servers = await ScratchServers.create(server);
    deployment = await Deployment.create(servers.with());
    token = await deployment.token('rebuilder');
    commands = new SentCommands('rebuilder', token);
    await deployment.startAll([...partNames, 'projector', 'read-api']);
    await commands.setTheTable(deployment.the('write-api').url);
  });

  afterAll(async () => {
    await deployment.dispose();
    await servers.dispose();
  });

  async function whileReading(work: () => Promise<void>): Promise<void> {
    const apis = {
      writeUrl: deployment.the('write-api').url,
      readUrls: deployment.running('read-api').map(({ url }) => url),
    };
    const reading = new ReadingAllAlong(apis, token, commands.order);
    const more = async (): Promise<void> => {
      const { placed } = reading.counts;
      await waitUntil('orders come in and are read', () => reading.counts.placed >= placed + 10);
    };
    try {
      await more();
      await work();
      await more();
    } finally {
      await reading.stop();
    }
    expect(reading.faults).toEqual([]);
  }

  /** Resolves when there are queues of no other version of orders. */
  async function onlyQueuesOf(version: number, other: number): Promise<void> {
    const queues = [version, other].flatMap((each) =>
      Array.from({ length: partitionCount }, (_, partition) => ({ consumer: `orders.v${each}`, partition })),
    );
    let wrong: readonly string[] = [];
    try {
      await waitUntil(`only version ${version} of orders has queues`, async () => {
        const seen = await inspectRabbitMq({ url: servers.rabbitMq.url, queues, answerTimeoutMs: 10_000 });
        wrong = seen.queues
          .filter(({ queue, found }) => {
            const isRead = found !== undefined && found.consumers > 0;
            return !(queue.consumer === `orders.v${version}` ? isRead : found === undefined);
          })
          .map(({ name, found }) => `${name} ${JSON.stringify(found)}`);
        return wrong.length === 0;
      });
    } catch (error) {
      process.stderr.write(`queues that are not as they should be: ${wrong.join(', ')}\n`);
      throw error;
    }
  }

  test('go on while orders keep coming in and every read API is read, and can be taken back', () =>
    reporting(deployment, () =>
      whileReading(async () => {
        const clean = { result: 'switched', differences: { count: 0 }, mended: { count: 0 } };
        expect(await deployment.waybill('rebuild', 'orders')).toMatchObject({ ...clean, live: 3, previous: 2 });
        await onlyQueuesOf(3, 2);
        expect(await deployment.waybill('rebuild', 'orders', '--rollback')).toMatchObject({
          ...clean,
          live: 2,
          previous: 3,
        });
        await onlyQueuesOf(2, 3);
      }),
    ));

  test('are gone on with by another projector where the one that is at it is killed', () =>
    reporting(deployment, async () => {
      const rebuilt = deployment.waybill('rebuild', 'deliveries');
      const readStore = deployment.openReadStore();
      try {
        await waitUntil('somebody builds', async () => {
          const shape = (await readStore.versions('deliveries'))?.shapes[deliveries.collection.version];
          return shape?.rebuild?.builder !== undefined || shape?.last !== undefined;
        });
      } finally {
        await readStore.close();
      }
      await deployment.the('projector').kill();
      await deployment.the('projector').kill();
      await deployment.start('projector');
      expect(await rebuilt).toMatchObject({ result: 'switched', live: 4, previous: 3 });
      await whileReading(() => Promise.resolve());
    }));
});
