import { steadyClock } from '@waybill/infra/clock/steady.js';
import { fulfilmentUsesDataFolder } from '@waybill/infra/process/config.js';
import { openRequestReply, openSnapshots } from '@waybill/infra/process/engines.js';
import { openGateway } from '@waybill/infra/payment-gateway/open-gateway.js';
import { runFollower } from '@waybill/infra/process/run-follower.js';
import { tellFigures } from '@waybill/infra/telemetry/progress-metrics.js';
import { measureFulfilment, measureSuspended } from './measure-fulfilment.js';
import { leasedPartitions } from '@waybill/shared-kernel/partitions/leased-assignment.js';
import { believedClock } from '@waybill/shared-kernel/believed-clock.js';
import { runPayments } from '../payments/run-payments.js';
import { LiveLook } from '../handling/live-look.js';
import { AggregateSnapshots } from '../handling/snapshots/aggregate-snapshots.js';
import { BelievedTime } from './deadlines/believed-time.js';
import { runFulfilment } from './run-fulfilment.js';

// The process manager in a process of its own, and the payment service beside it: `npm run start:fulfilment`. Several
// divide the partitions among them, and each request for a payment goes to one of them.

await runFollower(
  'fulfilment',
  async (follower) => {
    const { config, telemetry, report } = follower;
    const store = telemetry.store(follower.store);
    const believedTime = new BelievedTime({ wallClock: follower.clock, steadyClock });
    const snapshots = new AggregateSnapshots({
      ...follower,
      store: openSnapshots(config),
      clock: steadyClock,
      count: telemetry.countSnapshots(),
    });
    const gateway = await openGateway(config, { ...follower, watch: telemetry.watchGateway() });
    const payments = runPayments({
      ...follower,
      clock: believedClock({ wallClock: follower.clock, steadyClock }),
      store,
      gateway,
      requestReply: openRequestReply(config, report),
      count: telemetry.countPayments(),
    });
    const fulfilment = runFulfilment({
      ...follower,
      store,
      believedTime,
      askPayment: payments.ask,
      watchBatch: telemetry.watchBatches(),
      snapshots,
      positions: follower.readStore,
      // A file is read as quickly.
      look:
        config.eventStore.kind === 'eventstoredb'
          ? new LiveLook({ ...follower, store, clock: steadyClock })
          : undefined,
      assign: leasedPartitions(follower.leasing),
    });
    tellFigures(
      follower.metrics,
      [measureSuspended(follower), measureFulfilment({ ...follower, clock: believedTime })],
      follower.timer,
    );
    return {
      progress: async () => fulfilment.progress(),
      stop: async () => {
        await fulfilment.stop();
        await payments.stop();
        await snapshots.close();
      },
    };
  },
  fulfilmentUsesDataFolder,
);
