import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import type { QuarantinedDocuments, CollectionCheckpoints } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { countedFrom, measureLagOf, projectionFollower } from '@waybill/shared-kernel/subscriptions/measure-lag.js';
import {
  lagFigures,
  mostCounted,
  quarantinedIn,
  type Figure,
  type Measure,
} from '@waybill/shared-kernel/subscriptions/progress-figures.js';

interface Stores {
  readonly store: LogReader;
  readonly readStore: QuarantinedDocuments & CollectionCheckpoints;
  readonly clock: WallClock;
}

export type ReadModel = Pick<Projection, 'collection' | 'categories'>;

/** `live` answers with the versions that are read. */
export function measureReadModels(live: () => Promise<readonly ReadModel[]>, stores: Stores): Measure {
  const { store, readStore, clock } = stores;
  return async () => {
    const figures: Figure[] = [];
    for (const projection of await live()) {
      const { collection } = projection;
      const { positions } = await countedFrom(store, await readStore.positions(collection));
      const lag = await measureLagOf(projectionFollower(projection, positions), { store, clock }, mostCounted.events);
      figures.push(...lagFigures('projection', lag, collection.name), await quarantinedIn(collection, readStore));
    }
    return figures;
  };
}
