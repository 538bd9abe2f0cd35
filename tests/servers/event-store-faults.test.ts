import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { RabbitMqServer } from '@waybill/infra/broker/rabbitmq/testing/rabbitmq-server.js';
import { esdbUrl } from '@waybill/infra/event-store/eventstoredb/testing/server-under-test.js';
import { StandInServer } from '@waybill/infra/event-store/eventstoredb/testing/stand-in-server.js';
import { ServerProcess } from '@waybill/infra/mongodb/testing/server-process.js';
import { TcpProxy } from '@waybill/infra/testing/tcp-proxy.js';
import { cutAfter, killed, silent } from '../support/outage.js';
import { describeWithMortalServers } from '../support/servers-under-test.js';
import { some, Trial } from '../support/trial.js';

jest.setTimeout(300_000);

/** A server that is not ours is left alone. */
const testWithStandIn = esdbUrl === '' ? test : test.skip;
const name = esdbUrl === '' ? 'a stand-in for EventStoreDB' : 'EventStoreDB';

describeWithMortalServers(`under a steady load of commands, on ${name}`, () => {
  const mongoDb = new ServerProcess();
  let rabbitMq: RabbitMqServer;
  let standIn: StandInServer;
  let toEventStore: TcpProxy;
  let trial: Trial;

  beforeAll(async () => {
    [rabbitMq, standIn] = await Promise.all([RabbitMqServer.create(), StandInServer.listen(), mongoDb.start()]);
    const server = new URL(esdbUrl === '' ? standIn.url : esdbUrl);
    toEventStore = await TcpProxy.listen({ host: server.hostname, port: Number(server.port || 2113) });
    server.host = `127.0.0.1:${toEventStore.port}`;
    trial = await Trial.begin({
      eventStore: server.href,
      broker: rabbitMq.url,
      readStore: `${mongoDb.url}/waybill?directConnection=true`,
    });
  });

  afterAll(async () => {
    await trial.deployment.dispose();
    await toEventStore.close();
    standIn.kill();
    await Promise.all([rabbitMq.dispose(), mongoDb.dispose()]);
    process.stdout.write(`faults of the event store: ${trial.summary()}\n`);
  });

  async function refusedAndStale(): Promise<void> {
    await trial.commandsAreRefused();
    await trial.readsGrowStale();
  }

  testWithStandIn('it is killed and started again; commands are refused meanwhile, and reads go on', () =>
    trial.underLoadWithout({ begin: () => standIn.kill(), end: () => standIn.restart() }, refusedAndStale),
  );

  test('the line to it is silent for a while; commands are refused meanwhile, and reads go on', () =>
    trial.underLoadWithout(silent(toEventStore), refusedAndStale));

  test('connections to it are cut in the middle', () =>
    trial.underLoad(async (load) => {
      for (const bytes of [2_000, 5_000, 10_000]) await cutAfter(bytes, toEventStore);
      await load.answered(some);
    }));

  testWithStandIn('appends and their answers are lost', () =>
    trial.underLoad(async (load) => {
      for (const what of ['append', 'answer', 'append', 'answer'] as const) {
        standIn.loseNext(what);
        await load.answered(some / 2);
      }
    }),
  );

  test('MongoDB, which has the keys, is killed and started again; commands go on', () =>
    trial.underLoadWithout(killed(mongoDb), async (load) => {
      await load.answered(some);
      await trial.readsAreRefused();
    }));

  test('its processes stop in order when they are told to', async () => {
    for (const part of ['relay', 'projector', 'fulfilment', 'read-api', 'write-api'] as const) {
      expect([part, await trial.deployment.the(part).stop()]).toEqual([part, 0]);
    }
  });
});
