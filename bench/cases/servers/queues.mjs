import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { fulfilmentCategories, fulfilmentConsumer } from '../../../command-side/dist/fulfilment/run-fulfilment.js';
import { openRabbitMqBroker } from '../../../infra/dist/broker/rabbitmq/broker.js';
import { Names } from '../../../infra/dist/broker/rabbitmq/names.js';
import { projections } from '../../../projections/dist/read-models/projections.js';
import { queueOf } from '../../../projections/dist/projecting/follow-partition.js';
import { BatchCutter } from '../../../shared-kernel/dist/subscriptions/event-batches.js';
import { identityOf } from '../../../shared-kernel/dist/testing/relay-by-hand.js';
import { partitionCount } from '../../../shared-kernel/dist/partitions/partition.js';
import { readLog } from '../../../shared-kernel/dist/read-stream.js';
import { categoryOf } from '../../../shared-kernel/dist/stream.js';

/** The read models' consumers of the log: how they are called in the names of queues, and what they take. */
export const readModels = projections.map(({ collection, categories }) => ({
  consumer: queueOf(collection),
  categories,
}));

/** All that consume the log. */
export const consumers = [...readModels, { consumer: fulfilmentConsumer, categories: fulfilmentCategories }];

/** The events of a log in the batches that a relay makes of it. */
export async function batchesOf(store) {
  const cutter = new BatchCutter(await identityOf(store), 0);
  const batches = [];
  for await (const { events, through } of readLog(store, 0)) batches.push(...cutter.cut(events, through));
  return batches;
}

/** Those of the categories, among the events of a batch. */
export function eventsFor({ events }, categories) {
  return events.filter(({ stream }) => categories.includes(categoryOf(stream)));
}

/** How often batches are delivered, all consumers taken together, and how many events of theirs are in those. */
export function deliveries(batches, to) {
  const due = { batches: 0, events: 0 };
  for (const batch of batches) {
    for (const { categories } of to) {
      const { length } = eventsFor(batch, categories);
      due.batches += Math.min(1, length);
      due.events += length;
    }
  }
  return due;
}

/** Queues under a name of their own on a server, declared as Waybill's processes declare them; by default all of them. */
export async function openQueues(url, of = consumers) {
  const prefix = `waybill-bench-${randomUUID().slice(0, 8)}`;
  const names = new Names(prefix);
  const queues = of.flatMap(({ consumer, categories }) =>
    Array.from({ length: partitionCount }, (_, partition) => ({
      consumer,
      categories,
      partition,
      name: names.queue({ consumer, partition }),
    })),
  );
  const declaring = openRabbitMqBroker({ url, prefix });
  for (const queue of queues) await declaring.declare(queue, queue.categories);
  await declaring.close();
  const model = await connect(url);
  const channel = await model.createChannel();
  return {
    prefix,
    names,
    queues,
    async purge() {
      for (const { name } of queues) await channel.purgeQueue(name);
    },
    /** Batches in all of them. */
    async depth() {
      let sum = 0;
      for (const { name } of queues) sum += (await channel.checkQueue(name)).messageCount;
      return sum;
    },
    async remove() {
      for (const { name } of queues) await channel.deleteQueue(name);
      await channel.deleteQueue(names.deadLetters);
      await channel.deleteExchange(names.events);
      await model.close();
    },
  };
}
