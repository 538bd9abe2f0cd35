import { join } from 'node:path';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { systemClock, systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openSqliteLeaseStore } from '@waybill/infra/lease/sqlite/lease-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { leasedPartitions } from '@waybill/shared-kernel/leased-assignment.js';
import type { Clock } from '@waybill/shared-kernel/ports/clock.js';
import type { RelayCheckpoint } from '@waybill/shared-kernel/ports/read-store.js';
import { openMemoryRequestReply } from '@waybill/infra/broker/memory/request-reply.js';
import { askPayments } from '../../payments/ask-payments.js';
import { startPaymentService } from '../../payments/payment-service.js';
import { GatewayOfTests } from '../../payments/testing/gateway.js';
import { startRelay, type RelayMeans } from '../../relay/relay.js';
import { runFulfilment } from '../run-fulfilment.js';

// A process manager among several on one data folder, its first argument. Its clock is ahead by the second, milliseconds.
// It has a broker, a relay and payments to itself, tells its parent whenever it holds another number of partitions, and
// works until it is killed.

const [folder, ahead] = process.argv.slice(2) as [string, string];
const clock: Clock = { now: () => systemClock.now() + Number(ahead) };
const store = openSqliteEventStore(join(folder, 'log.sqlite'), { clock });
const positions = openSqliteReadStore(join(folder, 'read-models.sqlite'));
const leases = openSqliteLeaseStore(join(folder, 'leases.sqlite'));
const [timer, randomness] = [systemTimer, systemRandomness];

let checkpoint: RelayCheckpoint = { position: 0, heads: {} };
const checkpoints: RelayMeans['checkpoints'] = {
  relayCheckpoint: async () => checkpoint,
  saveRelayCheckpoint: async (reached) => void (checkpoint = reached),
};
const means = { broker: openMemoryBroker(), store, checkpoints, timer, randomness, clock };

startRelay(means);
const requestReply = openMemoryRequestReply();
const report = (fault: Error): void => console.error(fault);
await startPaymentService({ ...means, requestReply, gateway: new GatewayOfTests(), report });
const fulfilment = runFulfilment({
  ...means,
  positions,
  askPayment: askPayments(requestReply, { timeout: 10_000, report }),
  assign: leasedPartitions({ leases, timer, randomness, clock: steadyClock }),
});

let told = 0;
for (;;) {
  const { length } = fulfilment.held();
  if (length !== told) process.send?.(length);
  told = length;
  await timer.sleep(20);
}
