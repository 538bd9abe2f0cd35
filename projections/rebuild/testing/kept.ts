import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { systemClock, systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import { ScratchDatabase } from '@waybill/infra/mongodb/testing/server-under-test.js';
import { openMongoDbReadStore } from '@waybill/infra/read-store/mongodb/read-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { everyPartition } from '@waybill/shared-kernel/partitions/assignment.js';
import type { RebuildKind, ShapeVersions } from '@waybill/shared-kernel/ports/collection-versions.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import {
  keepReadModels,
  keepTuning,
  type KeepDependencies,
  type KeepTuning,
  type ReadModelKeeper,
} from '../../projecting/keep-read-models.js';
import { isPassed, takenBy } from '../../testing/applied.js';
import { appendAll } from '../../testing/logs.js';
import type { Happening } from '../../testing/history.js';
import { changeVersions } from '../change-versions.js';
import { atVersion, requested } from '../versions.js';
import { HeadWatch } from '@waybill/shared-kernel/subscriptions/watch-head.js';
import { identityOf, RelayByHand } from '@waybill/shared-kernel/testing/relay-by-hand.js';
import { wholeLog } from '@waybill/shared-kernel/testing/whole-log.js';

/** As in production, but in a hurry. */
export const hastyTuning: KeepTuning = {
  consumer: { ...keepTuning.consumer, backOff: { first: 1, most: 5 } },
  rebuilder: { build: { beat: 3, look: 2 }, answerTimeoutMs: 30, grace: 20, backOff: { first: 1, most: 5 } },
  look: 3,
};

/** Where read models are. */
export interface ReadModelPlace {
  open(): ReadStore;
  remove(): Promise<void> | void;
}

export function inFile(): ReadModelPlace {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-kept-'));
  return {
    open: () => openSqliteReadStore(join(folder, 'read-models.sqlite')),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function inMongoDb(): ReadModelPlace {
  const database = new ScratchDatabase();
  return {
    open: () => openMongoDbReadStore({ url: database.url }),
    remove: () => database.dispose(),
  };
}

/** A log in memory, its relay, and read models that are kept; each who has to do with them has its own connection. */
export class Kept {
  readonly log = new MemoryEventStore(systemClock);
  readonly broker = openMemoryBroker();
  readonly faults: Error[] = [];
  readonly #place: ReadModelPlace;
  readonly #opened: ReadStore[] = [];
  readonly #keepers: ReadModelKeeper[] = [];
  /** Whoever reads. */
  readonly reader: ReadStore;
  readonly #relay = new RelayByHand(this.log);

  constructor(place: ReadModelPlace = inFile()) {
    this.#place = place;
    this.reader = this.open();
  }

  open(): ReadStore {
    const store = this.#place.open();
    this.#opened.push(store);
    return store;
  }

  dependencies(readStore: KeepDependencies['readStore'] = this.open()): KeepDependencies {
    return {
      broker: this.broker,
      store: this.log,
      identity: () => identityOf(this.log),
      headWatch: new HeadWatch({ store: this.log, timer: systemTimer }),
      readStore,
      clock: systemClock,
      steadyClock,
      timer: systemTimer,
      randomness: systemRandomness,
      assign: everyPartition,
      report: (fault) => this.faults.push(fault),
    };
  }

  keep(projections: readonly Projection[], dependencies = this.dependencies(), tuning = hastyTuning): ReadModelKeeper {
    const keeper = keepReadModels(projections, dependencies, tuning);
    this.#keepers.push(keeper);
    return keeper;
  }

  /** Appends, and does what a relay does. */
  async happen(...happenings: readonly Happening[]): Promise<void> {
    await appendAll(this.log, happenings);
    await this.#relay.relay(this.broker);
  }

  versions({ collection }: Projection): Promise<ShapeVersions> {
    return changeVersions(collection, this.reader);
  }

  /** The version of a projection, declared for whoever reads. */
  async at(projection: Projection, version: number): Promise<Projection> {
    const onto = atVersion(projection, version);
    await this.reader.declare(onto.collection);
    return onto;
  }

  async live(projection: Projection): Promise<Projection> {
    return this.at(projection, (await this.versions(projection)).live);
  }

  /** Asks for a rebuild; how it ended is in the versions then. */
  async request({ collection }: Projection, kind: RebuildKind = 'rebuild'): Promise<void> {
    const id = systemRandomness.uuid();
    await changeVersions(collection, this.reader, (versions) => requested(versions, collection, kind, id));
  }

  async ended(projection: Projection): Promise<ShapeVersions> {
    await until(async () => (await this.versions(projection)).rebuild === undefined);
    return this.versions(projection);
  }

  /** Until a version has applied all that has happened. */
  async applied(projection: Projection): Promise<void> {
    const events = takenBy(projection, await wholeLog(this.log));
    await until(async () => {
      const positions = await this.reader.positions(projection.collection);
      return events.every((event) => isPassed(event, positions));
    });
  }

  async stopKeeping(): Promise<void> {
    await Promise.all(this.#keepers.splice(0).map((keeper) => keeper.stop()));
  }

  async close(): Promise<void> {
    await this.stopKeeping();
    await this.broker.close();
    await this.log.close();
    await Promise.all(this.#opened.map((store) => store.close()));
    await this.#place.remove();
  }
}
