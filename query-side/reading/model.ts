import type { SteadyClock, Timer, WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { CommitSignal } from '@waybill/shared-kernel/ports/commit-signal.js';
import type { StreamReader, LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import type { DataKeys } from '@waybill/shared-kernel/ports/keys.js';
import type {
  Collections,
  DocumentQueries,
  PartitionCheckpoints,
  CollectionCheckpoints,
  CollectionVersionStore,
  ChangeCounter,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Revisions, Sections } from '@waybill/shared-kernel/projection.js';
import type { Keyring } from '../personal-data.js';

/** How a read model is shown. */
export interface Model<View extends object> {
  readonly projection: Projection;
  /** `undefined`: what was folded so far is not yet something to show. */
  readonly view: (sections: Sections, revisions: Revisions) => View | undefined;
  /** Whose personal data is in it. */
  readonly subject: (view: View) => string | undefined;
  /** The view with its personal data opened, or null. */
  readonly show: (view: View, keys: Keyring) => object;
}

/** What reading takes. */
export interface Dependencies {
  readonly events: StreamReader & LogReader;
  readonly readStore: Collections &
    DocumentQueries &
    PartitionCheckpoints &
    CollectionCheckpoints &
    CollectionVersionStore &
    ChangeCounter;
  /** Asked for every answer with personal data: give it one that keeps keys at hand for a while. */
  readonly keys: DataKeys;
  readonly clock: WallClock;
  readonly steadyClock: SteadyClock;
  readonly timer: Timer;
  /** Where the process that commits is this one. */
  readonly commitSignal?: CommitSignal | undefined;
}
