import { runFollower } from '@waybill/infra/process/run-follower.js';
import { tellFigures } from '@waybill/infra/telemetry/progress-metrics.js';
import { measureReadModels } from './projecting/measure-read-models.js';
import { leasedPartitions } from '@waybill/shared-kernel/partitions/leased-assignment.js';
import { projections } from './read-models/projections.js';
import { keepReadModels } from './projecting/keep-read-models.js';
import { liveProjections } from './rebuild/change-versions.js';

// The projector in a process of its own: `npm run start:projector`. Several divide the partitions among them.

await runFollower('projector', (follower) => {
  const readModels = keepReadModels(projections, {
    ...follower,
    watchBatch: follower.telemetry.watchBatches(),
    assign: leasedPartitions(follower.leasing),
  });
  const live = () => liveProjections(projections, follower.readStore);
  tellFigures(follower.metrics, [measureReadModels(live, follower)], follower.timer);
  return { progress: async () => readModels.progress(), stop: () => readModels.stop() };
});
