import { runFollower } from '@waybill/infra/run-follower.js';
import { leasedPartitions } from '@waybill/shared-kernel/leased-assignment.js';
import { runFulfilment } from './run-fulfilment.js';

// The process manager in a process of its own: `npm run start:fulfilment`. Several divide the partitions among them.

await runFollower('fulfilment', (follower) =>
  runFulfilment({
    ...follower,
    positions: follower.readStore,
    checkpoints: follower.readStore,
    assign: leasedPartitions(follower.leasing),
  }),
);
