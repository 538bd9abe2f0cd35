import { runFollower } from '@waybill/infra/run-follower.js';
import { leasedPartitions } from '@waybill/shared-kernel/leased-assignment.js';
import { projections } from './catalogue.js';
import { keepReadModels } from './keep-read-models.js';

// The projector in a process of its own: `npm run start:projector`. Several divide the partitions among them.

await runFollower('projector', (follower) => {
  const readModels = keepReadModels(projections, {
    ...follower,
    watchBatch: follower.telemetry.watchBatches(),
    assign: leasedPartitions(follower.leasing),
  });
  return { progress: async () => readModels.progress(), stop: () => readModels.stop() };
});
