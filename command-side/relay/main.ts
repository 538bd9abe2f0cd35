import { runFollower } from '@waybill/infra/run-follower.js';
import { leasedLeadership } from '@waybill/shared-kernel/leased-assignment.js';
import { leadRelay } from './lead-relay.js';
import { serverRelayTuning } from './relay.js';

// The relay in a process of its own: `npm run start:relay`. Of several one works, and another when that one is gone.

await runFollower('relay', (follower) =>
  leadRelay(
    { ...follower, checkpoints: follower.readStore, assign: leasedLeadership(follower.leasing) },
    serverRelayTuning,
  ),
);
