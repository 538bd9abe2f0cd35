import { setImmediate as endOfTurn } from 'node:timers/promises';
import { asError } from '@waybill/shared-kernel/as-error.js';
import { LogMismatch, StreamCut, Unavailable } from '@waybill/shared-kernel/errors.js';
import { type SteadyClock, type Timer, timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type {
  CollectionVersions,
  Rebuild,
  RebuildOutcome,
  RebuildProgress,
  RebuildStep,
  ShapeVersions,
} from '@waybill/shared-kernel/ports/collection-versions.js';
import { logBeginning, misfits } from '@waybill/shared-kernel/subscriptions/log-position.js';
import { beginning, type StreamReader, type LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import {
  isQuarantined,
  type Fields,
  type QuarantinedDocument,
  type StoredDocument,
  type Collections,
  type DocumentStore,
  type QuarantinedDocuments,
  type CollectionCheckpoints,
  type AuditableDocuments,
  type CollectionVersionStore,
} from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { isByFault, markedFor } from '@waybill/shared-kernel/stream-faults.js';
import { compareWithLog, type CutDocument } from '../audit/verify-read-models.js';
import { catchUp } from '../projecting/catch-up.js';
import { changeVersions, liveProjections } from './change-versions.js';
import { DifferenceCount, none, shownDifferences } from './found-differences.js';
import { fieldsOf, reaches } from '../read-models/fold-document.js';
import { advanced, atVersion, ended } from './versions.js';

export interface BuildDependencies {
  readonly store: StreamReader & LogReader;
  readonly readStore: Collections &
    DocumentStore &
    QuarantinedDocuments &
    CollectionCheckpoints &
    AuditableDocuments &
    CollectionVersionStore;
  readonly clock: WallClock;
  readonly steadyClock: SteadyClock;
  readonly timer: Timer;
}

export interface BuildTuning {
  /** Milliseconds between two words about how far it is. */
  readonly beat: number;
  /** Milliseconds between two looks at whether the new version has come as far as the live one. */
  readonly look: number;
}

export const buildTuning: BuildTuning = { beat: 500, look: 100 };

const quarantinePage = 100;

/** How often it looks whether two versions are level under load, and how long it waits between, milliseconds. */
const mostLooks = 200;
const betweenLooks = 3;

/** So few events left, and projectors take over. */
const fewEvents = 1000;

/** Another took the rebuild over, or ended it. */
class NoLongerBuilder extends Error {}

/** It cannot be made, however often it is tried. */
class CannotBeBuilt extends Error {}

/**
 * Takes a rebuild to its end as its builder, `builder`, from wherever the one before it left it: replays the log into
 * the version, lets projectors follow it, compares it with the log, and switches to it in one write if they agree.
 * Every step can be done again, and two builders do no harm. Resolves early when another took over or `signal` aborts;
 * rejects with `Unavailable`, and is called again then.
 */
export async function build(
  projection: Projection,
  rebuild: Rebuild,
  builder: string,
  dependencies: BuildDependencies,
  signal: AbortSignal,
  tuning: BuildTuning = buildTuning,
): Promise<void> {
  await new Build(projection, rebuild, builder, dependencies, signal, tuning).run();
}

class Build {
  readonly #stopped = new AbortController();
  readonly #signal: AbortSignal;
  readonly #target: Projection;
  #step: RebuildStep;
  #progress: RebuildProgress = { position: 0, head: 0, rate: 0 };
  #stepBegan = 0;
  #events = 0;

  constructor(
    private readonly projection: Projection,
    private readonly rebuild: Rebuild,
    private readonly builder: string,
    private readonly dependencies: BuildDependencies,
    signal: AbortSignal,
    private readonly tuning: BuildTuning,
  ) {
    this.#signal = AbortSignal.any([signal, this.#stopped.signal]);
    this.#target = atVersion(projection, rebuild.version);
    this.#step = rebuild.step;
  }

  async run(): Promise<void> {
    const beating = this.#beat();
    try {
      await this.#takeSteps();
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      if (this.#signal.aborted || error instanceof NoLongerBuilder) return;
      const reason = asError(error).message;
      await this.#end({ result: 'failed', reason, documents: 0, differences: none, mended: none });
    } finally {
      this.#stopped.abort(new NoLongerBuilder());
      await beating;
    }
  }

  async #takeSteps(): Promise<void> {
    await this.dependencies.readStore.declare(this.#target.collection);
    if (this.#step === 'replaying') {
      await this.#enter('replaying');
      await this.#replay();
      await this.#enter('following');
    }
    await this.#drawLevel();
    await this.#enter('comparing');
    const outcome = await this.#compare();
    if (outcome.result === 'switched') await this.#drawLevel();
    await this.#end(outcome);
  }

  /** Reads the log to its end, again for what came meanwhile, until that is little. */
  async #replay(): Promise<void> {
    let left: number;
    do left = await this.#catchUp();
    while (left > fewEvents);
  }

  /** Number of events read. */
  async #catchUp(): Promise<number> {
    const { events, halted } = await catchUp(
      [this.#target],
      { ...this.dependencies, store: this.#watched() },
      { progress: (position, head) => this.#advance(position, head), signal: this.#signal },
    );
    this.#signal.throwIfAborted();
    const [first] = halted;
    if (first?.error instanceof LogMismatch) throw first.error;
    if (first !== undefined) {
      throw new CannotBeBuilt(
        `Version ${this.rebuild.version} stands still at position ${first.position}: ${first.error.message}`,
      );
    }
    return events;
  }

  /**
   * Waits until the version has applied whatever the live one had when it began to wait, in every partition, and then,
   * for a while, for a moment in which they are level: so that who has just seen something still sees it after the
   * switch. Projectors see to that; where none is at work, it does so itself.
   */
  async #drawLevel(): Promise<void> {
    const { timer } = this.dependencies;
    const due = await this.#livePositions();
    while (!(await this.#hasApplied(due))) {
      await timer.sleep(this.tuning.look, this.#signal);
      this.#signal.throwIfAborted();
      if (!(await this.#hasApplied(due))) await this.#catchUp();
    }
    for (let look = 0; look < mostLooks && !(await this.#hasApplied(await this.#livePositions())); look += 1) {
      await timer.sleep(betweenLooks, this.#signal);
      this.#signal.throwIfAborted();
    }
  }

  /** How far the live version has come in this log: nowhere, where it was made from another. */
  async #livePositions(): Promise<readonly number[]> {
    const positions = await this.dependencies.readStore.positions((await this.#live()).collection);
    const isOfThisLog = (await misfits(this.dependencies.store, positions)).length === 0;
    return positions.map(({ through }) => (isOfThisLog ? through : beginning));
  }

  async #hasApplied(due: readonly number[]): Promise<boolean> {
    const positions = await this.dependencies.readStore.positions(this.#target.collection);
    return positions.every(({ through }, partition) => through >= due[partition]!);
  }

  async #compare(): Promise<Pick<RebuildOutcome, 'result' | 'documents' | 'differences' | 'mended'>> {
    const live = await this.#live();
    await this.#takeOver(live);
    const found = [new DifferenceCount(), new DifferenceCount()] as const;
    const { documents, cut } = await compareWithLog(
      [this.#target, live],
      { ...this.dependencies, store: this.#watched() },
      (difference, index) => found[index as 0 | 1].add(difference),
      {
        explained: shownDifferences,
        onProgress: (position, head) => this.#advance(position, head),
        signal: this.#signal,
      },
    );
    const [differences, mended] = found;
    await this.#takeOverCut(live, cut[1]!);
    await this.#addQuarantined(live, differences);
    return {
      result: differences.count === 0 ? 'switched' : 'differs',
      documents: documents[0]!,
      differences: differences.found(),
      mended: mended.found(),
    };
  }

  /** What nobody can fold any more, as events are gone or cannot be read, stays as the live version has it. */
  async #takeOver(live: Projection): Promise<void> {
    for await (const [page, there] of this.#quarantined(live)) {
      for (const { key, revisions, degraded } of page) {
        const last = there.get(key);
        if (!isByFault(degraded) || last === undefined || !reaches(last.revisions, revisions)) continue;
        const fields = fieldsOf(this.#target, last);
        if (fields !== undefined) await this.#keep(last, fields);
      }
    }
  }

  /**
   * The same of documents of the live version whose streams were cut and of which the new one lacks something, as where nothing
   * is left that says whose a stream was.
   */
  async #takeOverCut(live: Projection, cut: readonly CutDocument[]): Promise<void> {
    const { readStore, clock } = this.dependencies;
    for (const { key, stream, firstRevision } of cut) {
      const [last] = await readStore.load(live.collection, [key]);
      const fields = last && fieldsOf(this.#target, last);
      if (last === undefined || fields === undefined) continue;
      const mark = last.degraded ?? markedFor(new StreamCut(stream, firstRevision ?? undefined), timestamp(clock));
      await this.#keep(last, fields, (stored) =>
        stored !== undefined && reaches(stored.revisions, last.revisions) ? undefined : mark,
      );
    }
  }

  /**
   * Has the new version say what the live one does of a document, marked as `mark` says of the one that it has; `undefined`: it
   * stays. A projector may be passing an event by at the same moment: then again.
   */
  async #keep(
    { key, partition, revisions, sections }: StoredDocument,
    fields: Fields,
    mark = (stored: StoredDocument | undefined) => stored?.degraded,
  ): Promise<void> {
    const { readStore, clock } = this.dependencies;
    const { collection } = this.#target;
    for (let round = 0; round < mostLooks; round += 1) {
      const [stored] = await readStore.load(collection, [key]);
      const degraded = mark(stored);
      if (degraded === undefined) return;
      const expectedDegraded = stored?.degraded;
      const conditions = { expected: stored?.revisions, ...(expectedDegraded !== undefined && { expectedDegraded }) };
      const write = { key, ...conditions, revisions, sections, fields, projectedAt: timestamp(clock), degraded };
      const batch = { collection, partition, writes: [write], position: logBeginning };
      if ((await readStore.commit(batch)).length === 0) return;
    }
    throw new Unavailable('read store', 'There were too many conflicts with projectors.');
  }

  /** The quarantined documents of the version, page by page, and what the live one has of them. */
  async *#quarantined(
    live: Projection,
  ): AsyncGenerator<readonly [readonly QuarantinedDocument[], ReadonlyMap<string, StoredDocument>], void, undefined> {
    const { readStore } = this.dependencies;
    for (let after: string | undefined; ;) {
      const page = await readStore.quarantined(this.#target.collection, after, quarantinePage);
      const keys = page.map(({ key }) => key);
      const there = await readStore.load(live.collection, keys);
      yield [page, new Map(there.map((document) => [document.key, document]))];
      after = keys.at(-1);
      if (page.length < quarantinePage) return;
    }
  }

  /** Documents that would stand still in the version, and do not in the live one: to switch would be a step back. */
  async #addQuarantined(live: Projection, differences: DifferenceCount): Promise<void> {
    for await (const [page, there] of this.#quarantined(live)) {
      for (const { key, degraded } of page) {
        const document = there.get(key);
        if (degraded.event === undefined || isByFault(degraded) || document === undefined || isQuarantined(document))
          continue;
        const { name } = this.projection.collection;
        const actual = { quarantined: degraded.error };
        const divergedAt = String(degraded.event.position);
        differences.add({ projection: name, key, path: '/degraded', expected: null, actual, divergedAt });
      }
    }
  }

  async #end(
    outcome: Pick<RebuildOutcome, 'result' | 'reason' | 'documents' | 'differences' | 'mended'>,
  ): Promise<void> {
    const { id, kind, version } = this.rebuild;
    const endedAt = timestamp(this.dependencies.clock);
    await this.#change((versions) =>
      ended(versions, this.projection.collection, { id, kind, version, endedAt, ...outcome }),
    );
  }

  async #enter(step: RebuildStep): Promise<void> {
    this.#step = step;
    this.#stepBegan = this.dependencies.steadyClock.now();
    this.#events = 0;
    this.#progress = { position: 0, head: await this.dependencies.store.head(), rate: 0 };
    await this.#say();
  }

  #advance(position: number, head: number): void {
    const seconds = (this.dependencies.steadyClock.now() - this.#stepBegan) / 1000;
    const rate = seconds > 0 ? Math.round(this.#events / seconds) : 0;
    this.#progress = { position, head, rate };
  }

  /** Says now and then how far it is, and notices that somebody else goes on. */
  async #beat(): Promise<void> {
    const { timer } = this.dependencies;
    for (;;) {
      await timer.sleep(this.tuning.beat, this.#signal);
      if (this.#signal.aborted) return;
      try {
        await this.#say();
      } catch (error) {
        // A store that is down is met by the work as well, which says so.
        if (error instanceof NoLongerBuilder) this.#stopped.abort(error);
      }
    }
  }

  async #say(): Promise<void> {
    const { rebuild } = await this.#change((versions) =>
      advanced(versions, this.projection.collection, this.builder, this.#step, this.#progress),
    );
    // It builds one at a time, so whatever it is the builder of is this.
    if (rebuild?.builder?.id !== this.builder) throw new NoLongerBuilder();
  }

  /** As it is now: a new one never comes while this is under way, but another builder may have ended it. */
  async #live(): Promise<Projection> {
    const [live] = await liveProjections([this.projection], this.dependencies.readStore);
    return live!;
  }

  #change(change: (versions: CollectionVersions) => CollectionVersions | undefined): Promise<ShapeVersions> {
    return changeVersions(this.projection.collection, this.dependencies.readStore, change);
  }

  /** The log, whose events are counted, and between whose pages others have their turn. */
  #watched(): BuildDependencies['store'] {
    const { store } = this.dependencies;
    return {
      head: () => store.head(),
      recordAt: (position) => store.recordAt(position),
      readStream: (...asked) => store.readStream(...asked),
      cutOf: (stream) => store.cutOf(stream),
      readAll: async (...asked) => {
        await endOfTurn();
        const page = await store.readAll(...asked);
        this.#events += page.events.length;
        return page;
      },
    };
  }
}
