import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';
import { openRabbitMqBroker } from '../../../infra/dist/broker/rabbitmq/broker.js';
import { Names } from '../../../infra/dist/broker/rabbitmq/names.js';
import { projections } from '../../../projections/dist/catalogue.js';
import { queueOf } from '../../../projections/dist/follow-partition.js';
import { partitionCount } from '../../../shared-kernel/dist/partition.js';

const ofProjections = projections.map(({ collection }) => queueOf(collection));

/** All that consume the log, as they are called in the names of queues. */
export const consumers = [...ofProjections, 'fulfilment'];

/** Queues under a name of their own on a server, declared as Waybill's processes declare them; by default all of them. */
export async function openQueues(url, of = consumers) {
  const prefix = `waybill-bench-${randomUUID().slice(0, 8)}`;
  const names = new Names(prefix);
  const queues = of.flatMap((consumer) =>
    Array.from({ length: partitionCount }, (_, partition) => ({
      consumer,
      partition,
      name: names.queue({ consumer, partition }),
    })),
  );
  const declaring = openRabbitMqBroker({ url, prefix });
  for (const queue of queues) await declaring.declare(queue);
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
    /** Messages in all of them. */
    async depth() {
      let sum = 0;
      for (const { name } of queues) sum += (await channel.checkQueue(name)).messageCount;
      return sum;
    },
    async remove() {
      for (const { name } of queues) await channel.deleteQueue(name);
      await channel.deleteQueue(names.deadLetters);
      for (const exchange of [names.events, names.deadLetters]) await channel.deleteExchange(exchange);
      await model.close();
    },
  };
}
