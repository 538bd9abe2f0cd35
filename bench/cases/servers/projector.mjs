import { join } from 'node:path';
import { connect } from 'amqplib';
import { openRabbitMqBroker } from '../../../infra/dist/broker/rabbitmq/broker.js';
import { systemClock, systemRandomness, systemTimer } from '../../../infra/dist/clock/system.js';
import { openSqliteEventStore } from '../../../infra/dist/event-store/sqlite/sqlite-event-store.js';
import { collectionName } from '../../../infra/dist/read-store/mongodb/collection-layout.js';
import { openMongoDbReadStore } from '../../../infra/dist/read-store/mongodb/read-store.js';
import { projections } from '../../../projections/dist/read-models/projections.js';
import { queueOf } from '../../../projections/dist/projecting/follow-partition.js';
import { startProjector } from '../../../projections/dist/projecting/projector.js';
import { everyPartition } from '../../../shared-kernel/dist/partitions/assignment.js';
import { HeadWatch } from '../../../shared-kernel/dist/subscriptions/watch-head.js';
import { fillLog } from '../../orders-log.mjs';
import { lastingScratchFolder } from '../../scratch.mjs';
import { mongoDb, rabbitMq } from '../../servers.mjs';
import { scratchDatabase } from './database.mjs';
import { batchesOf, deliveries, eventsFor, openQueues, readModels } from './queues.mjs';

const orders = Number(process.env.WAYBILL_BENCH_ORDERS ?? 4000);
const prefetch = 50;

export const projector = {
  name: 'projector',
  what: 'projector: RabbitMQ → MongoDB, all read models',
  against:
    'raw `amqplib` consume of the same queues and `bulkWrite` of the same documents with the same indexes, no folding',
  unit: 'events/s',
  atLeast: 0.6,
  async sides() {
    const amqp = await rabbitMq();
    const mongo = await mongoDb();
    const queues = await openQueues(amqp, readModels);
    const { folder, remove } = lastingScratchFolder();
    const store = openSqliteEventStore(join(folder, 'log.sqlite'), { clock: systemClock });
    await fillLog(store, { orders });
    const batches = await batchesOf(store);
    const dependencies = { amqp, mongo, queues, store, batches, due: deliveries(batches, readModels).events };
    const documents = await documentsAfter(dependencies);
    return {
      ours: () => fromFullQueues(dependencies, ours),
      theirs: () => fromFullQueues(dependencies, (of, readStore, database) => theirs(of, database, documents)),
      close: async () => {
        await store.close();
        await queues.remove();
        remove();
      },
    };
  },
};

/** Rate of one side, with every batch in the queues and nothing in the database but the empty collections. */
async function fromFullQueues(dependencies, side, look = () => undefined) {
  const { amqp, mongo, queues, batches, due } = dependencies;
  const database = scratchDatabase(mongo);
  const readStore = openMongoDbReadStore({ url: database.url });
  for (const { collection } of projections) await readStore.declare(collection);
  await queues.purge();
  const fill = async () => {
    const publishing = openRabbitMqBroker({ url: amqp, prefix: queues.prefix });
    await publishing.publish(batches);
    await publishing.close();
  };
  try {
    const seconds = await side({ ...dependencies, fill }, readStore, database);
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
async function ours({ amqp, queues, store, batches, fill }, readStore) {
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
    readAll: async (after, limit) =>
      isShown || after === 0 ? store.readAll(after, limit) : { events: [], through: after, isEnd: true },
    readStream: (...which) => store.readStream(...which),
  };
  let fault;
  const projector = startProjector(projections, {
    broker: hidden,
    store: log,
    // What comes is to come by messages.
    headWatch: new HeadWatch({ store: { ...log, head: async () => 0 }, timer: systemTimer }),
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
  const last = (partition, categories) =>
    batches.findLast((batch) => batch.partition === partition && eventsFor(batch, categories).length > 0)?.through ?? 0;
  const lasts = new Map(
    queues.queues.map(({ consumer, partition, categories }) => [
      `${consumer}/${partition}`,
      last(partition, categories),
    ]),
  );
  const isBehind = ({ projection: name, version, partition, position }) =>
    position < lasts.get(`${queueOf({ name, version })}/${partition}`);
  while (states().some(isBehind)) {
    if (fault !== undefined) throw fault;
    await systemTimer.sleep(1);
  }
  const seconds = (performance.now() - begin) / 1000;
  await projector.stop();
  await broker.close();
  return seconds;
}

/** What the projector makes of the log: by consumer, for each batch in turn, the documents of its events as MongoDB has them. */
async function documentsAfter(dependencies) {
  const documents = new Map();
  await fromFullQueues(dependencies, ours, async (db) => {
    for (const { collection, categories, key } of projections) {
      const found = await db.collection(collectionName(collection)).find().toArray();
      const byKey = new Map(found.map((document) => [document._id, document]));
      const byBatch = dependencies.batches.map((batch) => ({
        partition: batch.partition,
        ofEvents: eventsFor(batch, categories).map((event) => byKey.get(key(event))),
      }));
      documents.set(
        queueOf(collection),
        byBatch.filter(({ ofEvents }) => ofEvents.length > 0),
      );
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
      const ofQueue = documents.get(queue.consumer).filter(({ partition }) => partition === queue.partition);
      consumeRaw(model, queue.name, collection, ofQueue, done).catch(reject);
    }
  });
  const seconds = (performance.now() - begin) / 1000;
  await model.close();
  return seconds;
}

/** Takes what has come, writes the documents it touches, acknowledges. `batches`: what comes, in turn. */
async function consumeRaw(model, name, collection, batches, done) {
  const channel = await model.createChannel();
  const held = [];
  const inserted = new Set();
  let next = 0;
  let isWorking = false;
  const work = async () => {
    isWorking = true;
    // What has been read from the socket goes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (held.length > 0) {
      const taken = held.splice(0, prefetch);
      const ofEvents = batches.slice(next, (next += taken.length)).flatMap((batch) => batch.ofEvents);
      const touched = new Set(ofEvents.filter((document) => document !== undefined));
      const operations = Array.from(touched, (document) => {
        const { _id } = document;
        if (inserted.has(_id)) return { replaceOne: { filter: { _id }, replacement: document } };
        inserted.add(_id);
        return { insertOne: { document } };
      });
      if (operations.length > 0) await collection.bulkWrite(operations, { ordered: false });
      channel.ack(taken.at(-1), true);
      done(ofEvents.length);
    }
    isWorking = false;
  };
  await channel.prefetch(prefetch);
  await channel.consume(name, (raw) => {
    held.push(raw);
    if (!isWorking) void work();
  });
}
