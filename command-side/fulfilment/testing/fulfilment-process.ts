import { join } from 'node:path';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { systemClock, systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openSqliteLeaseStore } from '@waybill/infra/lease/sqlite/lease-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { leasedPartitions } from '@waybill/shared-kernel/partitions/leased-assignment.js';
import { epochMs, type SteadyClock, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { RelayCheckpoint } from '@waybill/shared-kernel/ports/read-store.js';
import { openMemoryRequestReply } from '@waybill/infra/broker/memory/request-reply.js';
import { askPayments } from '../../payments/ask-payments.js';
import { startPaymentService } from '../../payments/payment-service.js';
import { GatewayOfTests } from '../../payments/testing/gateway.js';
import { HeadWatch } from '@waybill/shared-kernel/subscriptions/watch-head.js';
import { startRelay, type RelayDependencies } from '../../relay/relay.js';
import { BelievedTime } from '../deadlines/believed-time.js';
import { runFulfilment } from '../run-fulfilment.js';
import { notedIdentity } from '@waybill/shared-kernel/subscriptions/log-identity.js';
import { logBeginning } from '@waybill/shared-kernel/subscriptions/log-position.js';

// A process manager among several on one data folder, its first argument. Its clock is ahead by the second, milliseconds.
// It has a broker, a relay and payments to itself, tells its parent whenever it holds another number of partitions, and
// works until it is killed.

const [folder, ahead] = process.argv.slice(2) as [string, string];
const clock: WallClock = { time: () => new Date(epochMs(systemClock) + Number(ahead)) };
const store = openSqliteEventStore(join(folder, 'log.sqlite'), { clock });
const positions = openSqliteReadStore(join(folder, 'read-models.sqlite'));
const leases = openSqliteLeaseStore(join(folder, 'leases.sqlite'));
const [timer, randomness] = [systemTimer, systemRandomness];

let checkpoint: RelayCheckpoint = { ...logBeginning, heads: {} };
const checkpoints: RelayDependencies['checkpoints'] = {
  relayCheckpoint: async () => checkpoint,
  saveRelayCheckpoint: async (reached) => void (checkpoint = reached),
  resetRelayCheckpoint: (...asked) => positions.resetRelayCheckpoint(...asked),
  madeFrom: () => positions.madeFrom(),
  noteMadeFrom: (...asked) => positions.noteMadeFrom(...asked),
};
const headWatch = new HeadWatch({ store, timer });
const identity = notedIdentity({ store, readStore: positions });
const dependencies = { broker: openMemoryBroker(), store, identity, headWatch, timer, randomness, clock };
// The minute for which clocks are watched before deadlines are judged is over in a second.
const hurriedClock: SteadyClock = { now: () => 60 * steadyClock.now() };

startRelay({ ...dependencies, checkpoints });
const requestReply = openMemoryRequestReply();
const report = (fault: Error): void => console.error(fault);
await startPaymentService({ ...dependencies, requestReply, gateway: new GatewayOfTests(), report });
const fulfilment = runFulfilment({
  ...dependencies,
  believedTime: new BelievedTime({ wallClock: clock, steadyClock: hurriedClock }),
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
