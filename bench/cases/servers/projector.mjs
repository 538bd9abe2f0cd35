import { join } from 'node:path';
import { connect } from 'amqplib';
import { openRabbitMqBroker } from '../../../infra/dist/broker/rabbitmq/broker.js';
import { systemClock, systemRandomness, systemTimer } from '../../../infra/dist/clock/system.js';
import { openSqliteEventStore } from '../../../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { collectionName } from '../../../infra/dist/read-store/mongodb/collection-layout.js';
import { openMongoDbReadStore } from '../../../infra/dist/read-store/mongodb/read-store.js';
import { projections } from '../../../projections/dist/catalogue.js';
import { queueOf } from '../../../projections/dist/follow-partition.js';
import { startProjector } from '../../../projections/dist/projector.js';
import { everyPartition } from '../../../shared-kernel/dist/assignment.js';
import { headOf } from '../../../shared-kernel/dist/category-heads.js';
import { linkChain } from '../../../shared-kernel/dist/link-chain.js';
import { identityOf } from '../../../shared-kernel/dist/log-identity.js';
import { categoryOf } from '../../../shared-kernel/dist/stream.js';
import { eventsPerOrder, fillLog } from '../../orders-log.mjs';
import { lastingScratchFolder } from '../../scratch.mjs';
import { mongoDb, rabbitMq } from '../../servers.mjs';
import { scratchDatabase } from './database.mjs';
import { deliveries, openQueues, readModels } from './queues.mjs';

const orders = Number(process.env.WAYBILL_BENCH_ORDERS ?? 4000);
const batch = 1000;

export const projector = {
  name: 'projector',
  what: 'projector: RabbitMQ → MongoDB, all read models',
  against:
    'raw `amqplib` consume of the same queues and `bulkWrite` of the same documents with the same indexes, no folding',
  unit: 'messages/s',
  atLeast: 0.6,
  async sides() {
    const amqp = await rabbitMq();
    const mongo = await mongoDb();
    const queues = await openQueues(amqp, readModels);
    const { folder, remove } = lastingScratchFolder();
    const store = openSqliteEventStore(join(folder, 'log.sqlite'), { clock: systemClock });
    await fillLog(store, { orders });
    const events = await store.readAll(0, orders * eventsPerOrder);
    const { messages, reached } = linkChain(events, { position: 0, heads: {} }, await identityOf(store));
    const means = { amqp, mongo, queues, store, messages, heads: reached.heads, due: deliveries(messages, readModels) };
    const documents = await documentsAfter(means);
    return {
      ours: () => fromFullQueues(means, ours),
      theirs: () => fromFullQueues(means, (of, readStore, database) => theirs(of, database, documents)),
      close: async () => {
        await store.close();
        await queues.remove();
        remove();
      },
    };
  },
};

/** Rate of one side, with every message in the queues and nothing in the database but the empty collections. */
async function fromFullQueues(means, side, look = () => undefined) {
  const { amqp, mongo, queues, messages, due } = means;
  const database = scratchDatabase(mongo);
  const readStore = openMongoDbReadStore({ url: database.url });
  for (const { collection } of projections) await readStore.declare(collection);
  await queues.purge();
  const fill = async () => {
    const publishing = openRabbitMqBroker({ url: amqp, prefix: queues.prefix });
    await publishing.publish(messages);
    await publishing.close();
  };
  try {
    const seconds = await side({ ...means, fill }, readStore, database);
    await look(database.db);
    return due / seconds;
  } finally {
    await readStore.close();
    await database.remove();
  }
}

/**
 * A projector reads the log when it starts, and lets go what comes meanwhile. So it starts with a log that looks empty,
 * and the queues are shown to it when they are full.
 */
async function ours({ amqp, queues, store, heads, fill }, readStore) {
  let show;
  const shown = new Promise((resolve) => (show = resolve));
  let isShown = false;
  const broker = openRabbitMqBroker({ url: amqp, prefix: queues.prefix });
  const hidden = {
    declare: async () => undefined,
    consume: async (...how) => {
      const consumer = shown.then(() => broker.consume(...how));
      return {
        close: async () => (await consumer).close(),
        stopped: consumer.then((real) => real.stopped),
      };
    },
  };
  const log = {
    head: async () => (isShown ? store.head() : 0),
    // Its first event tells which log it is.
    readAll: async (after, limit) => (isShown || limit === 1 ? store.readAll(after, limit) : []),
    readStream: (...which) => store.readStream(...which),
  };
  let fault;
  const projector = startProjector(projections, {
    broker: hidden,
    store: log,
    readStore,
    clock: systemClock,
    timer: systemTimer,
    randomness: systemRandomness,
    assign: everyPartition,
    report: (error) => (fault = error),
  });
  await projector.following;
  const all = queues.queues.length;
  const states = () => projector.states();
  while (states().filter(({ mode }) => mode === 'following').length < all) await systemTimer.sleep(1);
  await fill();
  const begin = performance.now();
  isShown = true;
  show();
  const due = new Map(projections.map(({ collection, categories }) => [collection.name, categories]));
  const isBehind = ({ projection, partition, position }) => position < headOf(heads[partition], due.get(projection));
  while (states().some(isBehind)) {
    if (fault !== undefined) throw fault;
    await systemTimer.sleep(1);
  }
  const seconds = (performance.now() - begin) / 1000;
  await projector.stop();
  await broker.close();
  return seconds;
}

/** What the projector makes of the log: by queue, the event's id → its document as MongoDB has it. */
async function documentsAfter(means) {
  const documents = new Map();
  await fromFullQueues(means, ours, async (db) => {
    for (const { collection, categories, key } of projections) {
      const found = await db.collection(collectionName(collection)).find().toArray();
      const byKey = new Map(found.map((document) => [document._id, document]));
      const byEvent = new Map();
      for (const { event } of means.messages) {
        if (categories.includes(categoryOf(event.stream))) byEvent.set(event.id, byKey.get(key(event)));
      }
      documents.set(queueOf(collection), byEvent);
    }
  });
  return documents;
}

async function theirs({ amqp, queues, due, fill }, { db }, documents) {
  await fill();
  const model = await connect(amqp, { noDelay: true });
  const begin = performance.now();
  let left = due;
  await new Promise((resolve, reject) => {
    const done = (count) => {
      left -= count;
      if (left === 0) resolve();
    };
    for (const queue of queues.queues) {
      const target = projections.find(({ collection }) => queueOf(collection) === queue.consumer);
      const collection = db.collection(collectionName(target.collection));
      consumeRaw(model, queue.name, collection, documents.get(queue.consumer), done).catch(reject);
    }
  });
  const seconds = (performance.now() - begin) / 1000;
  await model.close();
  return seconds;
}

/** Takes what has come, writes the documents it touches, acknowledges. */
async function consumeRaw(model, name, collection, documents, done) {
  const channel = await model.createChannel();
  const held = [];
  const inserted = new Set();
  let isWorking = false;
  const work = async () => {
    isWorking = true;
    // What has been read from the socket goes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (held.length > 0) {
      const taken = held.splice(0, batch);
      const touched = new Set();
      for (const { properties } of taken) {
        const document = documents.get(properties.messageId);
        if (document !== undefined) touched.add(document);
      }
      const operations = Array.from(touched, (document) => {
        const { _id } = document;
        if (inserted.has(_id)) return { replaceOne: { filter: { _id }, replacement: document } };
        inserted.add(_id);
        return { insertOne: { document } };
      });
      if (operations.length > 0) await collection.bulkWrite(operations, { ordered: false });
      channel.ack(taken.at(-1), true);
      done(taken.length);
    }
    isWorking = false;
  };
  await channel.prefetch(batch * 2);
  await channel.consume(name, (raw) => {
    held.push(raw);
    if (!isWorking) void work();
  });
}
