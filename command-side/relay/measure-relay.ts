import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import type { RelayCheckpoints } from '@waybill/shared-kernel/ports/read-store.js';
import { countedFrom, measureLagOf, relayFollower } from '@waybill/shared-kernel/subscriptions/measure-lag.js';
import { lagFigures, mostCounted, type Measure } from '@waybill/shared-kernel/subscriptions/progress-figures.js';

interface Stores {
  readonly store: LogReader;
  readonly readStore: RelayCheckpoints;
  readonly clock: WallClock;
}

export function measureRelay({ store, readStore, clock }: Stores): Measure {
  return async () => {
    const { positions } = await countedFrom(store, [await readStore.relayCheckpoint()]);
    const lag = await measureLagOf(relayFollower(positions[0]!), { store, clock }, mostCounted.events);
    return lagFigures('relay', lag);
  };
}
