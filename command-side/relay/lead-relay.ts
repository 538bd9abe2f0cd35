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
 * One of several relays of a log, of which one works at a time. A deposed one may be late, and does no harm: what it
 * publishes, position and `previous` alike, follows from the log alone, so each of its messages is a copy of one of
 * its successor's, and duplicates are no-ops; and its checkpoint cannot put a later one back (see `RelayCheckpoints`), nor
 * would that do more than have some events published once more. One that has something to relay and does not move,
 * because it does not reach the broker or the log, leaves the lead to another.
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
