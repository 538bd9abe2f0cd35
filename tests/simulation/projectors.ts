import { projections } from '@waybill/projections/read-models/projections.js';
import { PartitionProjector } from '@waybill/projections/projecting/project.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { categoryOf } from '@waybill/shared-kernel/stream.js';
import { after } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { hour, minute } from './time.js';
import type { World } from './world.js';

/** One partition of one read model. */
interface Lane {
  readonly projection: Projection;
  readonly partition: number;
  projector: PartitionProjector | undefined;
  position: number;
}

/** Keep the read models up, in batches of any size, some of them twice, and begin anew from what is stored now and then. */
export class Projectors {
  readonly #world: World;
  readonly #lanes: Lane[] = projections.flatMap((projection) =>
    Array.from({ length: partitionCount }, (_, partition) => {
      return { projection, partition, projector: undefined, position: 0 };
    }),
  );

  constructor(world: World) {
    this.#world = world;
  }

  async begin(): Promise<void> {
    const { schedule, chance, readStore } = this.#world;
    for (const { collection } of projections) await readStore.declare(collection);
    schedule.begin(
      async () => {
        for (;;) {
          await schedule.pause(chance.between(5 * minute, 2 * hour));
          for (const lane of this.#lanes) await this.#advance(lane, chance.anywhere(1, 500));
        }
      },
      0,
      'projection',
    );
  }

  /** To the end of the log. */
  async catchUp(): Promise<void> {
    for (const lane of this.#lanes) while (await this.#advance(lane, 1000));
  }

  /** Whether there was anything. */
  async #advance(lane: Lane, most: number): Promise<boolean> {
    const { chance, tally, readStore, log } = this.#world;
    const { projection, partition } = lane;
    if (lane.projector === undefined || chance.is(0.02)) {
      lane.projector = new PartitionProjector(projection, partition, this.#dependencies());
      lane.position = (await readStore.position(projection.collection, partition)).through;
      tally.count('projector begun anew');
    }
    const page = log.ofPartition(partition, lane.position, most);
    const end = page.at(-1);
    if (end === undefined) return false;
    const events = page.filter(({ stream }) => projection.categories.includes(categoryOf(stream)!));
    await lane.projector.apply(events, after(end));
    if (chance.is(0.02)) {
      tally.count('batch projected twice');
      await lane.projector.apply(events, after(end));
    }
    lane.position = end.position;
    return true;
  }

  #dependencies() {
    const { readStore, log, schedule, amiss } = this.#world;
    const quarantined = ({ projection, key, error }: { projection: string; key: string; error: string }): void => {
      amiss.push(`${projection} ${key} was quarantined: ${error}`);
    };
    return { readStore, store: log, clock: schedule.clock, quarantined };
  }
}
