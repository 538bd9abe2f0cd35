import { steadyClock } from '@waybill/infra/clock/steady.js';
import { openSnapshots } from '@waybill/infra/engines.js';
import { runFollower } from '@waybill/infra/run-follower.js';
import { measureSuspended, tellFigures } from '@waybill/infra/telemetry/progress-metrics.js';
import { leasedPartitions } from '@waybill/shared-kernel/leased-assignment.js';
import { AggregateSnapshots } from '../snapshots/aggregate-snapshots.js';
import { runFulfilment } from './run-fulfilment.js';

// The process manager in a process of its own: `npm run start:fulfilment`. Several divide the partitions among them.

await runFollower('fulfilment', (follower) => {
  const snapshots = new AggregateSnapshots({
    ...follower,
    store: openSnapshots(follower.config),
    clock: steadyClock,
    count: follower.telemetry.countSnapshots(),
  });
  const fulfilment = runFulfilment({
    ...follower,
    store: follower.telemetry.store(follower.store),
    watchBatch: follower.telemetry.watchBatches(),
    snapshots,
    positions: follower.readStore,
    checkpoints: follower.readStore,
    assign: leasedPartitions(follower.leasing),
  });
  tellFigures(follower.metrics, [measureSuspended(follower)], follower.timer);
  return {
    progress: async () => fulfilment.progress(),
    stop: async () => {
      await fulfilment.stop();
      await snapshots.close();
    },
  };
});
