import { runFollower } from '@waybill/infra/process/run-follower.js';
import { tellFigures } from '@waybill/infra/telemetry/progress-metrics.js';
import { measureRelay } from './measure-relay.js';
import { leasedLeadership } from '@waybill/shared-kernel/partitions/leased-assignment.js';
import { leadRelay } from './lead-relay.js';
import { relayProgress, serverRelayTuning } from './relay.js';

// The relay in a process of its own: `npm run start:relay`. Of several one works, and another when that one is gone.

await runFollower('relay', (follower) => {
  const relay = leadRelay(
    {
      ...follower,
      broker: follower.telemetry.publisher(follower.broker),
      checkpoints: follower.readStore,
      assign: leasedLeadership(follower.leasing),
    },
    serverRelayTuning,
  );
  tellFigures(follower.metrics, [measureRelay(follower)], follower.timer);
  return {
    progress: async () => (relay.leads() ? [await relayProgress(relay, follower.store)] : []),
    stop: () => relay.stop(),
  };
});
