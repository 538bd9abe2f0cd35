import { inspectRabbitMq } from '@waybill/infra/broker/rabbitmq/inspect.js';
import { shown, type Config } from '@waybill/infra/process/config.js';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { QueueName } from '@waybill/shared-kernel/ports/broker.js';
import type { CollectionSpec } from '@waybill/shared-kernel/ports/read-store.js';
import { queueOf } from '@waybill/projections/projecting/follow-partition.js';

/** As the process manager's queues are called. */
export const fulfilmentQueues = 'fulfilment';

/** What is asked of the broker may take so long in all. */
const answerTimeoutMs = 3_000;

/** The queues of one consumer. */
export interface ConsumerQueues {
  readonly consumer: string;
  /** How many of its partitions have one. */
  readonly queues: number;
  /** That wait in them, without those handed out. */
  readonly messages: number;
  /** How many of the queues somebody reads. */
  readonly read: number;
}

export interface BrokerStatus {
  /** Null where the broker is in the memory of a process. */
  readonly queues: readonly ConsumerQueues[] | null;
  /** Messages that no consumer could decode; null where the broker keeps none. */
  readonly deadLetters: number | null;
}

type Named = Pick<CollectionSpec, 'name' | 'version'>;

/** Every queue there ought to be while these read models are the ones that are read. */
export function queuesFor(live: readonly Named[]): readonly QueueName[] {
  const consumers = [...live.map(queueOf), fulfilmentQueues];
  return consumers.flatMap((consumer) =>
    Array.from({ length: partitionCount }, (_, partition) => ({ consumer, partition })),
  );
}

/** What waits with the broker. Rejects with `Unavailable`. */
export async function brokerStatus({ broker }: Config, live: readonly Named[]): Promise<BrokerStatus> {
  if (broker.kind === 'memory') return { queues: null, deadLetters: null };
  const queues = queuesFor(live);
  try {
    const seen = await inspectRabbitMq({ url: broker.url, queues, answerTimeoutMs, blockedWithinMs: 0 });
    const consumers = [...new Set(queues.map(({ consumer }) => consumer))];
    return {
      queues: consumers.map((consumer) => {
        const found = seen.queues.flatMap((each) => (each.queue.consumer === consumer ? (each.found ?? []) : []));
        return {
          consumer,
          queues: found.length,
          messages: found.reduce((sum, { messages }) => sum + messages, 0),
          read: found.filter((each) => each.consumers > 0).length,
        };
      }),
      deadLetters: seen.deadLetters ?? 0,
    };
  } catch (error) {
    const said = error instanceof Error ? error.message || error.name : String(error);
    throw new Unavailable('broker', `RabbitMQ at ${shown(broker.url)} does not answer: ${said}`, { cause: error });
  }
}
