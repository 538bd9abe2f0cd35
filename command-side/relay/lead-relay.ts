import type { AssignPartitions } from '@waybill/shared-kernel/partitions/assignment.js';
import { relayProgress, startRelay, type Relay, type RelayDependencies, type RelayTuning } from './relay.js';

export interface LeadRelayDependencies extends RelayDependencies {
  /** Of one partition: whoever has it leads. */
  readonly assign: AssignPartitions;
}

export interface LeadRelay extends Relay {
  /** Whether this process is the one that relays. The others stand by. */
  leads(): boolean;
}

/**
 * One of several relays of a log, of which one is active at a time. A relay that has lost the lease may still publish
 * for a moment, which does no harm. Its messages follow from the log alone, so they are copies of its successor's, and
 * duplicates are no-ops. Its checkpoint never moves a later one back (see `RelayCheckpoints`). A relay that has work and does
 * not move, because it does not reach the broker or the log, leaves the lease to another.
 */
export function leadRelay(dependencies: LeadRelayDependencies, tuning?: RelayTuning): LeadRelay {
  let relay: Relay | undefined;
  const assignment = dependencies.assign('relay', () => {
    const leading = startRelay(dependencies, tuning);
    relay = leading;
    return {
      progress: async () => [await relayProgress(leading, dependencies.store)],
      stop: async () => {
        await leading.stop();
        if (relay === leading) relay = undefined;
      },
    };
  });
  return {
    leads: () => assignment.held().length > 0,
    position: () => relay?.position(),
    stop: () => assignment.stop(),
  };
}
