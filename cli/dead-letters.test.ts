import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openRabbitMqBroker, type RabbitMqBroker } from '@waybill/infra/broker/rabbitmq/broker.js';
import { amqpUrl, describeWithServer } from '@waybill/infra/broker/rabbitmq/testing/server-under-test.js';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { placed } from '@waybill/projections/testing/history.js';
import { recorded } from '@waybill/projections/testing/recorded.js';
import { Waybill } from './testing/waybill.js';

let waybill: Waybill;

beforeEach(async () => {
  waybill = new Waybill();
  prepareDataFolder(waybill.dataFolder);
  await openSqliteEventStore(dataFiles(waybill.dataFolder).log, { clock: systemClock }).close();
});

afterEach(() => {
  waybill.remove();
});

const count = async () => (await waybill.json<{ deadLetters: number | null }>('status')).deadLetters;

describeWithServer('waybill status with RabbitMQ', () => {
  /** Of no partition that anybody else listens to. */
  const queue = { consumer: `test-${randomUUID()}`, partition: 1_000_000 + Math.floor(Math.random() * 1_000_000) };
  let broker: RabbitMqBroker;
  beforeEach(() => {
    broker = openRabbitMqBroker({ url: amqpUrl });
    waybill.environment = { WAYBILL_BROKER: amqpUrl };
  });
  afterEach(async () => {
    await broker.remove(queue);
    await broker.close();
  });

  test('counts the messages that nobody could decode', async () => {
    const before = (await count())!;
    await broker.declare(queue, ['order']);
    await broker.consume(queue, 10, () => undefined);
    const [event] = recorded([placed('o1')]);
    const undecodable = { ...event!, recordedAt: JSON.parse('7') as string };
    await broker.publish([
      { ...queue, log: '1:first', previous: { since: 0, positions: {} }, events: [undecodable], through: 1 },
    ]);
    await until(async () => (await broker.deadLetters()) > before);
    expect(await count()).toBeGreaterThan(before);
    expect((await waybill.run('status')).stdout).toMatch(/\d+ messages? in the dead-letter queue of the broker\n$/);
  });
});
