import { join } from 'node:path';
import { connect } from 'amqplib';
import { serverRelayTuning, startRelay } from '../../../command-side/dist/relay/relay.js';
import { openRabbitMqBroker } from '../../../infra/dist/broker/rabbitmq/broker.js';
import { encode } from '../../../infra/dist/broker/rabbitmq/envelope.js';
import { systemClock, systemRandomness, systemTimer } from '../../../infra/dist/clock/system.js';
import { openSqliteEventStore } from '../../../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { openMongoDbReadStore } from '../../../infra/dist/read-store/mongodb/read-store.js';
import { fillLog } from '../../orders-log.mjs';
import { lastingScratchFolder } from '../../scratch.mjs';
import { mongoDb, rabbitMq } from '../../servers.mjs';
import { scratchDatabase } from './database.mjs';
import { batchesOf, consumers, deliveries, openQueues } from './queues.mjs';

const orders = Number(process.env.WAYBILL_BENCH_ORDERS ?? 4000);
const inFlight = 200;

export const relay = {
  name: 'relay',
  what: 'relay: log → RabbitMQ, confirmed, its checkpoint in MongoDB',
  against: `raw \`amqplib\` confirmed publishing of the same bodies to the same queues (${consumers.length * 8}), ${inFlight} in flight`,
  unit: 'events/s',
  atLeast: 0.7,
  async sides() {
    const amqp = await rabbitMq();
    const queues = await openQueues(amqp);
    const database = scratchDatabase(await mongoDb());
    const { folder, remove } = lastingScratchFolder();
    const store = openSqliteEventStore(join(folder, 'log.sqlite'), { clock: systemClock });
    await fillLog(store, { orders });
    const batches = await batchesOf(store);
    const letters = batches.map(encode);
    const due = deliveries(batches, consumers).batches;
    const events = batches.reduce((sum, batch) => sum + batch.events.length, 0);
    const readStore = openMongoDbReadStore({ url: database.url });
    const dependencies = { queues, amqp, store, database, readStore, letters, due, events, head: await store.head() };
    return {
      ours: () => allArrived(dependencies, ours),
      theirs: () => allArrived(dependencies, theirs),
      close: async () => {
        await readStore.close();
        await store.close();
        await database.remove();
        await queues.remove();
        remove();
      },
    };
  },
};

/** Rate of one side, from empty queues; every batch must be in a queue of each consumer afterwards that takes something of it. */
async function allArrived(dependencies, side) {
  const { queues, events, due } = dependencies;
  await queues.purge();
  const seconds = await side(dependencies);
  for (const deadline = Date.now() + 10_000; ;) {
    const depth = await queues.depth();
    if (depth === due) return events / seconds;
    if (Date.now() > deadline) throw new Error(`${depth} batches arrived instead of ${due}`);
  }
}

async function ours({ queues, amqp, store, database, readStore, head }) {
  await database.db.dropDatabase();
  let connected;
  const isConnected = new Promise((resolve) => (connected = resolve));
  const broker = openRabbitMqBroker({
    url: amqp,
    prefix: queues.prefix,
    notify: ({ kind, connection }) => kind === 'connected' && connection === 'waybill publishing' && connected(),
  });
  await isConnected;
  let fault;
  const begin = performance.now();
  const dependencies = {
    store,
    broker,
    checkpoints: readStore,
    timer: systemTimer,
    randomness: systemRandomness,
    report: (error) => (fault = error),
  };
  const relaying = startRelay(dependencies, serverRelayTuning);
  while (relaying.position() !== head) {
    if (fault !== undefined) throw fault;
    await systemTimer.sleep(1);
  }
  const seconds = (performance.now() - begin) / 1000;
  await relaying.stop();
  await broker.close();
  return seconds;
}

async function theirs({ queues, amqp, letters }) {
  const model = await connect(amqp, { noDelay: true });
  const channel = await model.createConfirmChannel();
  const begin = performance.now();
  await new Promise((resolve, reject) => {
    let sent = 0;
    let confirmed = 0;
    const onConfirm = (error) => {
      if (error) reject(error);
      confirmed += 1;
      if (confirmed === letters.length) resolve();
      else send();
    };
    const send = () => {
      for (; sent < letters.length && sent - confirmed < inFlight; sent += 1) {
        const { routingKey, body, options } = letters[sent];
        channel.publish(queues.names.events, routingKey, body, options, onConfirm);
      }
    };
    send();
  });
  const seconds = (performance.now() - begin) / 1000;
  await model.close();
  return seconds;
}
