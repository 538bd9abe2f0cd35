import { shown, type Config } from '@waybill/infra/process/config.js';
import { inspectRabbitMq, type InspectedBroker, type InspectedQueue } from '@waybill/infra/broker/rabbitmq/inspect.js';
import type { CollectionSpec } from '@waybill/shared-kernel/ports/read-store.js';
import { fulfilmentQueues, queuesFor } from '../status/broker-queues.js';
import { bad, down, good, skipped, warning, type Check } from './check.js';
import { withReadModels } from './stores.js';

const answerTimeoutMs = 2_500;

/** RabbitMQ and what Waybill has there. */
export async function checkBroker(config: Config): Promise<readonly Check[]> {
  const { broker } = config;
  if (broker.kind === 'memory') return [skipped('broker', 'in the memory of the one process')];
  const queues = queuesFor(await liveCollections(config));
  let seen: InspectedBroker;
  try {
    seen = await inspectRabbitMq({ url: broker.url, queues, compare: true, answerTimeoutMs });
  } catch (error) {
    const said = error instanceof Error ? error.message || error.name : String(error);
    return [judgeUnreachable(shown(broker.url), said)];
  }
  return judgeBroker(shown(broker.url), seen);
}

/** Those whose queues there ought to be. Which that are the read store knows; without it none are looked at. */
async function liveCollections(config: Config): Promise<readonly CollectionSpec[]> {
  try {
    const live = await withReadModels(config, (_readStore, projections) => Promise.resolve(projections));
    return (live ?? []).map(({ collection }) => collection);
  } catch {
    return [];
  }
}

export function judgeUnreachable(address: string, said: string): Check {
  if (/ACCESS[-_]REFUSED|authentication/i.test(said)) {
    return bad(
      'broker',
      `RabbitMQ at ${address} refuses this user: ${said}`,
      'Correct user, password and virtual host in WAYBILL_BROKER.',
    );
  }
  return down('broker', `RabbitMQ at ${address} does not answer: ${said}`, 'Start it, or correct WAYBILL_BROKER.');
}

export function judgeBroker(address: string, seen: InspectedBroker): readonly Check[] {
  const { product, version, roundTripMs, deadLetters, blocked } = seen;
  const byConsumer = new Map<string, InspectedQueue[]>();
  for (const queue of seen.queues) {
    const { consumer } = queue.queue;
    byConsumer.set(consumer, [...(byConsumer.get(consumer) ?? []), queue]);
  }
  return [
    good('broker', `${product} ${version} at ${address}, ${roundTripMs.toFixed(1)} ms`),
    ...[...byConsumer].map(([consumer, queues]) => judgeQueues(consumer, queues)),
    judgeDeadLetters(deadLetters),
    blocked === undefined
      ? good('broker takes messages', 'no alarm of memory or disk')
      : bad(
          'broker takes messages',
          `It takes none: ${blocked}.`,
          'Give RabbitMQ memory or disk space; the relay goes on by itself.',
        ),
  ];
}

function judgeQueues(consumer: string, queues: readonly InspectedQueue[]): Check {
  const name = `queues of ${consumer}`;
  const process = consumer === fulfilmentQueues ? 'fulfilment' : 'projector';
  const start = `Start it: npm run start:${process}.`;
  const missing = queues.filter(({ found }) => found === undefined);
  if (missing.length > 0) {
    return warning(
      name,
      `${missing.length} of ${queues.length} are not there: no ${process} has declared them.`,
      start,
    );
  }
  const odd = queues.find(({ found }) => found?.otherwise !== undefined);
  if (odd !== undefined) {
    return bad(
      name,
      `${odd.name} is not as it ought to be: ${odd.found?.otherwise}`,
      'Delete the queue and start the process again: it declares a new one, and what the old one held is in the log.',
    );
  }
  const messages = queues.reduce((sum, { found }) => sum + (found?.messages ?? 0), 0);
  const idle = queues.filter(({ found }) => found?.consumers === 0).length;
  const detail = `${queues.length}, quorum, ${messages} messages waiting`;
  if (idle > 0) return warning(name, `${detail}; ${idle} have no consumer.`, start);
  const consumers = queues.map(({ found }) => found?.consumers ?? 0);
  return good(name, `${detail}, ${Math.min(...consumers)} to ${Math.max(...consumers)} consumers each`);
}

function judgeDeadLetters(count: number | undefined): Check {
  if (count === undefined) return skipped('dead letters', 'The queue does not exist yet.');
  if (count === 0) return good('dead letters', 'none');
  return warning(
    'dead letters',
    `${count} messages could not be understood and were put aside.`,
    'Look at them in waybill.undecodable (the header x-waybill-reason says why), then purge it: what is true is in the log.',
  );
}
