import type { BackOff } from '@waybill/shared-kernel/back-off.js';
import type { Randomness } from '@waybill/shared-kernel/ports/clock.js';
import type { Rebuild, ShapeVersions } from '@waybill/shared-kernel/ports/collection-versions.js';
import type { DroppableCollections } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { retryUntilAborted } from '@waybill/shared-kernel/retry.js';
import { build, buildTuning, type BuildDependencies, type BuildTuning } from './build.js';
import { changeVersions } from './change-versions.js';
import { atVersion, claimed, forgotten, released } from './versions.js';

export interface RebuilderDependencies extends BuildDependencies {
  readonly readStore: BuildDependencies['readStore'] & DroppableCollections;
  readonly randomness: Randomness;
  /** Called with each fault after which it tries again. */
  readonly report?: (fault: Error) => void;
}

export interface RebuilderTuning {
  readonly build: BuildTuning;
  /** Milliseconds for which a builder must have stood still before another takes its place. */
  readonly answerTimeoutMs: number;
  /** Milliseconds for which a version must have been known to be obsolete before it is dropped. */
  readonly grace: number;
  readonly backOff: BackOff;
}

export const rebuilderTuning: RebuilderTuning = {
  build: buildTuning,
  answerTimeoutMs: 5_000,
  grace: 5_000,
  backOff: { first: 50, most: 10_000 },
};

/**
 * Carries out what is asked for of one read model's versions. Any number of them may, in any number of processes: one
 * at a time builds, and where it is gone another goes on. `tend` is called again and again.
 */
export class Rebuilder {
  readonly #projection: Projection;
  readonly #dependencies: RebuilderDependencies;
  readonly #tuning: RebuilderTuning;
  readonly #id: string;
  readonly #stopping = new AbortController();
  /** When each was noticed, milliseconds: other processes' clocks are nobody's business. */
  readonly #noticed = new Map<string, number>();
  #building: Promise<void> | undefined;

  constructor(projection: Projection, dependencies: RebuilderDependencies, tuning: RebuilderTuning = rebuilderTuning) {
    this.#projection = projection;
    this.#dependencies = dependencies;
    this.#tuning = tuning;
    this.#id = dependencies.randomness.uuid();
  }

  /** Begins to build what nobody builds, and drops what nobody can be using any more. */
  async tend({ rebuild, obsolete }: ShapeVersions): Promise<void> {
    const looked = new Set<string>();
    if (rebuild !== undefined && this.#building === undefined && this.#isFree(rebuild, looked)) {
      await this.#claim(rebuild);
    }
    for (const version of obsolete) {
      if (this.#hasStood(`version ${version}`, this.#tuning.grace, looked)) await this.#drop(version);
    }
    for (const what of this.#noticed.keys()) if (!looked.has(what)) this.#noticed.delete(what);
  }

  /** Lets others go on with what it is building. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#building;
  }

  #isFree({ builder }: Rebuild, looked: Set<string>): boolean {
    return (
      builder === undefined || this.#hasStood(`${builder.id} ${builder.beat}`, this.#tuning.answerTimeoutMs, looked)
    );
  }

  /** Whether this has been so for some milliseconds, as far as it was looked at. */
  #hasStood(what: string, milliseconds: number, looked: Set<string>): boolean {
    const now = this.#dependencies.steadyClock.now();
    const since = this.#noticed.get(what) ?? now;
    this.#noticed.set(what, since);
    looked.add(what);
    return now - since >= milliseconds;
  }

  async #claim(seen: Rebuild): Promise<void> {
    const { collection } = this.#projection;
    const { rebuild } = await changeVersions(collection, this.#dependencies.readStore, (versions) =>
      claimed(versions, collection, seen, this.#id),
    );
    if (rebuild?.builder?.id !== this.#id) return;
    if (this.#stopping.signal.aborted) return this.#release();
    this.#building = this.#build(rebuild).finally(() => {
      this.#building = undefined;
    });
  }

  /** Until it has ended, here or elsewhere. Never rejects. */
  async #build(rebuild: Rebuild): Promise<void> {
    const { timer, randomness, report } = this.#dependencies;
    const { signal } = this.#stopping;
    const { build: tuning, backOff } = this.#tuning;
    await retryUntilAborted(
      async () => {
        await build(this.#projection, rebuild, this.#id, this.#dependencies, signal, tuning);
      },
      signal,
      { backOff, timer, randomness, failed: (fault) => report?.(fault) },
    );
    // Also where it was stopped between two attempts. Who cannot say it is found out by a beat that stands still.
    if (signal.aborted) await this.#release().catch(() => undefined);
  }

  async #release(): Promise<void> {
    const { collection } = this.#projection;
    await changeVersions(collection, this.#dependencies.readStore, (versions) =>
      released(versions, collection, this.#id),
    );
  }

  async #drop(version: number): Promise<void> {
    const { collection } = this.#projection;
    await this.#dependencies.readStore.drop(atVersion(this.#projection, version).collection);
    await changeVersions(collection, this.#dependencies.readStore, (versions) =>
      forgotten(versions, collection, version),
    );
  }
}
