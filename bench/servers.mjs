import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isRabbitMqInstalled, RabbitMqServer } from '../infra/dist/broker/rabbitmq/testing/rabbitmq-server.js';
import { EventStoreDbProcess, startCommand } from '../infra/dist/event-store/eventstoredb/testing/server-process.js';

/** What stopping one server may take, milliseconds. */
const stopLimit = 30_000;

/** How what was started for this run is stopped. */
const stops = [];
const started = new Map();

/** `amqp://…` of the RabbitMQ that WAYBILL_TEST_AMQP names, else of one started for this run. */
export function rabbitMq() {
  return process.env.WAYBILL_TEST_AMQP ?? startOnce('RabbitMQ', startRabbitMq);
}

/** `mongodb://…` of the server that WAYBILL_TEST_MONGODB names, else of a mongo-java-server started for this run. */
export function mongoDb() {
  return (
    process.env.WAYBILL_TEST_MONGODB ??
    startOnce('MongoDB', () => startProgram('../tools/servers/mongo-java-server.mjs'))
  );
}

/** `esdb://…` of the EventStoreDB that WAYBILL_TEST_ESDB names, if it does. */
export const namedEventStoreDb = process.env.WAYBILL_TEST_ESDB;

/** Whether an EventStoreDB itself is there: one that is named, or one that WAYBILL_TEST_ESDB_START starts. */
export const hasEventStoreDb = namedEventStoreDb !== undefined || startCommand !== '';

/** `esdb://…` of the one that is named, else of one started for this run, else of a process that stands in for one. */
export function eventStoreDb() {
  if (namedEventStoreDb !== undefined) return namedEventStoreDb;
  return startOnce('EventStoreDB', () =>
    startCommand === '' ? startProgram('./stand-in-eventstoredb.mjs') : startEventStoreDb(),
  );
}

/** Has something stopped at the end, however the run ends. */
export function atEnd(stop) {
  stops.unshift(stop);
}

/** Stops what was started for this run, each within bounded time. */
export async function stopServers() {
  await Promise.allSettled(stops.splice(0).map((stop) => Promise.race([stop(), limit()])));
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopServers().finally(() => process.exit(128)));

function startOnce(name, start) {
  if (!started.has(name)) started.set(name, start());
  return started.get(name);
}

async function startRabbitMq() {
  if (!isRabbitMqInstalled) {
    throw new Error(
      'There is no RabbitMQ to start: install it (Debian: rabbitmq-server), or name one in WAYBILL_TEST_AMQP.',
    );
  }
  const server = await RabbitMqServer.create();
  stops.push(() => server.dispose());
  return server.url;
}

async function startEventStoreDb() {
  const server = new EventStoreDbProcess();
  stops.push(() => server.dispose());
  await server.start();
  return server.url;
}

/** Starts a program of ours that serves until it is asked to end, and prints its address when it does. */
async function startProgram(file) {
  const server = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(server, 'exit');
  stops.push(async () => {
    server.kill('SIGTERM');
    await ended;
  });
  const failed = ended.then(([code]) => {
    throw new Error(`${file} ended with ${code} before it was ready.`);
  });
  failed.catch(() => undefined); // It ends at the end as well.
  const [address] = await Promise.race([once(server.stdout, 'data'), failed]);
  return address.toString('utf8').trim();
}

function limit() {
  return new Promise((resolve) => setTimeout(resolve, stopLimit).unref());
}
