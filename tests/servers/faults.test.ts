import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { connect } from 'amqplib';
import { MongoClient } from 'mongodb';
import { fulfilmentCategories, fulfilmentConsumer } from '@waybill/command-side/fulfilment/run-fulfilment.js';
import { RabbitMqServer } from '@waybill/infra/broker/rabbitmq/testing/rabbitmq-server.js';
import type { RunningServer } from '@waybill/infra/event-store/eventstoredb/testing/server-under-test.js';
import { ServerProcess } from '@waybill/infra/mongodb/testing/server-process.js';
import { TcpProxy } from '@waybill/infra/testing/tcp-proxy.js';
import { runs } from '@waybill/shared-kernel/testing/length.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { queueOf } from '@waybill/projections/projecting/follow-partition.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import { type BoundQueue, ChaoticExchange, type Fate, names } from '../support/chaotic-exchange.js';
import { cutAfter, killed, silent } from '../support/outage.js';
import { partNames, type PartName } from '../support/part-process.js';
import { describeWithMortalServers, logs } from '../support/servers-under-test.js';
import type { SteadyLoad } from '../support/steady-load.js';
import { some, Trial } from '../support/trial.js';
import { waitUntil } from '../support/wait-until.js';

jest.setTimeout(300_000);

const rounds = Number(process.env['WAYBILL_TEST_FAULT_ROUNDS'] ?? runs(1, 2));
const everyRound = Array.from({ length: rounds }, (_, index) => index + 1);
const queues: readonly BoundQueue[] = [
  ...projections.map(({ collection, categories }) => ({ consumer: queueOf(collection), categories })),
  { consumer: fulfilmentConsumer, categories: fulfilmentCategories },
].flatMap((queue) => Array.from({ length: partitionCount }, (_, partition) => ({ ...queue, partition })));

describeWithMortalServers.each(logs)('under a steady load of commands, on $log', ({ server }) => {
  const mongoDb = new ServerProcess();
  let rabbitMq: RabbitMqServer;
  let eventStore: RunningServer | undefined;
  let toRabbitMq: TcpProxy;
  let toMongoDb: TcpProxy;
  let trial: Trial;

  beforeAll(async () => {
    [rabbitMq, eventStore] = await Promise.all([RabbitMqServer.create(), server?.start(), mongoDb.start()]);
    toRabbitMq = await TcpProxy.listen({ host: '127.0.0.1', port: rabbitMq.port });
    toMongoDb = await TcpProxy.listen({ host: '127.0.0.1', port: Number(new URL(mongoDb.url).port) });
    trial = await Trial.begin({
      eventStore: eventStore?.url,
      broker: `amqp://127.0.0.1:${toRabbitMq.port}`,
      readStore: `mongodb://127.0.0.1:${toMongoDb.port}/waybill?directConnection=true`,
    });
  });

  afterAll(async () => {
    await trial.deployment.dispose();
    await Promise.all([toRabbitMq.close(), toMongoDb.close()]);
    await Promise.all([eventStore?.dispose(), rabbitMq.dispose(), mongoDb.dispose()]);
    process.stdout.write(`faults of servers and processes: ${trial.summary()}\n`);
  });

  function directly<T>(work: (client: MongoClient) => Promise<T>): Promise<T> {
    const client = new MongoClient(mongoDb.url);
    return work(client).finally(() => client.close());
  }

  async function goesOnAndReadsGrowStale(load: SteadyLoad): Promise<void> {
    await load.answered(some);
    await trial.readsGrowStale();
  }

  async function goesOnAndReadsAreRefused(load: SteadyLoad): Promise<void> {
    await load.answered(some);
    await trial.readsAreRefused();
  }

  describe.each(everyRound)('round %i', () => {
    describe('a process is killed and started again', () => {
      const meanwhile: Readonly<Record<PartName, (load: SteadyLoad) => Promise<void>>> = {
        'write-api': () => Promise.resolve(),
        'read-api': (load) => load.answered(some),
        relay: goesOnAndReadsGrowStale,
        projector: goesOnAndReadsGrowStale,
        fulfilment: (load) => load.answered(some),
      };

      test.each(partNames)('the %s', (name) =>
        trial.underLoad(async (load) => {
          await trial.deployment.the(name).kill();
          await meanwhile[name](load);
          await trial.deployment.start(name);
        }),
      );
    });

    test('RabbitMQ is killed and started again; commands and reads go on', () =>
      trial.underLoadWithout(killed(rabbitMq), goesOnAndReadsGrowStale));

    test('MongoDB is killed and started again; commands go on, and reads are refused', () =>
      trial.underLoadWithout(killed(mongoDb), goesOnAndReadsAreRefused));

    test('connections are cut in the middle', () =>
      trial.underLoad(async (load) => {
        for (const proxy of [toRabbitMq, toMongoDb, toRabbitMq, toMongoDb]) await cutAfter(5_000, proxy);
        await load.answered(some);
      }));

    test('the line to RabbitMQ is silent for a while', () =>
      trial.underLoadWithout(silent(toRabbitMq), goesOnAndReadsGrowStale));

    test('the line to MongoDB is silent for a while', () =>
      trial.underLoadWithout(silent(toMongoDb), goesOnAndReadsAreRefused));

    test('the lines are slow', () =>
      trial.underLoad(async (load) => {
        for (const proxy of [toRabbitMq, toMongoDb]) {
          proxy.delay(30);
          proxy.cut();
        }
        await load.answered(2 * some);
        for (const proxy of [toRabbitMq, toMongoDb]) {
          proxy.delay(0);
          proxy.cut();
        }
      }));

    test('queues are deleted under their consumers', () =>
      trial.underLoad(async (load) => {
        const model = await connect(rabbitMq.url);
        const channel = await model.createChannel();
        for (const queue of queues) {
          await channel.checkQueue(names.queue(queue));
          await channel.deleteQueue(names.queue(queue));
        }
        await load.answered(some);
        await waitUntil('there are queues again', async () => {
          const another = await model.createChannel();
          another.on('error', () => undefined);
          for (const queue of queues) await another.checkQueue(names.queue(queue));
          await another.close();
          return true;
        });
        await model.close();
      }));

    test('messages come twice, late and not at all, and in the end none', async () => {
      let count = 0;
      let isOver = false;
      const fate = (): Fate => {
        count += 1;
        if (isOver || count % 5 === 0) return 'lost';
        if (count % 3 === 0) return 'late';
        return count % 2 === 0 ? 'twice' : 'arrives';
      };
      const chaos = await ChaoticExchange.between(rabbitMq.url, queues, fate);
      try {
        await trial.underLoad(async (load) => {
          await load.answered(2 * some);
          expect(Object.values(chaos.counts).every((times) => times > 0)).toBe(true);
          isOver = true;
        });
      } finally {
        await chaos.end();
      }
    });

    test('the checkpoints of relay, projector and fulfilment are set back', () =>
      trial.underLoad(async (load) => {
        const checkpoints = (client: MongoClient) =>
          client.db('waybill').collection<{ _id: string; position: number }>('checkpoints');
        const before = await directly((client) => checkpoints(client).find().toArray());
        await load.answered(some);
        await Promise.all(
          ['relay', 'projector', 'fulfilment'].map((name) => trial.deployment.the(name as PartName).kill()),
        );
        await directly(async (client) => {
          for (const checkpoint of before) await checkpoints(client).replaceOne({ _id: checkpoint._id }, checkpoint);
        });
        await trial.deployment.startAll(['relay', 'projector', 'fulfilment']);
      }));
  });
});
