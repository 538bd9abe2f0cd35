import { existsSync } from 'node:fs';
import { describe } from '@jest/globals';
import { isRabbitMqInstalled } from '@waybill/infra/broker/rabbitmq/testing/rabbitmq-server.js';
import { amqpUrl } from '@waybill/infra/broker/rabbitmq/testing/server-under-test.js';
import {
  realServers,
  standIn,
  type ServerUnderTest,
} from '@waybill/infra/event-store/eventstoredb/testing/server-under-test.js';
import { mongoDbUrl } from '@waybill/infra/mongodb/testing/server-under-test.js';

// `npm run test:servers` sets what these suites take.

/** `describe` where there are servers to run the processes on. Of RabbitMQ they start one of their own. */
export const describeWithServers: typeof describe.skip =
  amqpUrl !== '' && isRabbitMqInstalled && mongoDbUrl !== '' ? describe : describe.skip;

/** `describe` where, besides, the servers can be killed. */
export const describeWithMortalServers: typeof describe.skip =
  process.env['WAYBILL_TEST_MONGODB_START'] === undefined ? describe.skip : describeWithServers;

interface LogUnderTest {
  readonly log: string;
  /** Started for a suite by `ScratchServers`. */
  readonly server: ServerUnderTest | undefined;
}

function logOn(server: ServerUnderTest): LogUnderTest {
  return { log: `EventStoreDB, ${server.name}`, server };
}

/** The logs that the processes are tried on. */
export const logs: readonly LogUnderTest[] = [
  { log: 'a log in the data folder', server: undefined },
  ...realServers.map(logOn),
];

/** The same, with the stand-in where there is no EventStoreDB: for suites that are short. */
export const logsOrStandIn: readonly LogUnderTest[] = realServers.length > 0 ? logs : [...logs, logOn(standIn)];

/** A folder with the real orders, if it is there. */
export const realOrders = folderOf(process.env['WAYBILL_TEST_OLIST']);

function folderOf(name: string | undefined): string | undefined {
  return name !== undefined && existsSync(name) ? name : undefined;
}
