import { isDeepStrictEqual } from 'node:util';
import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { FulfilmentEvent, SuspensionEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import { upcast } from '@waybill/shared-kernel/events/upcast.js';
import {
  judgePosition,
  logBeginning,
  misfits,
  sharedPart,
  type LogPosition,
} from '@waybill/shared-kernel/subscriptions/log-position.js';
import { noteFault, noteSuspension, suspensionWrite } from '../suspension/note-suspension.js';
import { partitionCount, partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import { timestamp, type WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { noStream, type StreamEvents, type LogReader } from '@waybill/shared-kernel/ports/event-store.js';
import type {
  CollectionSpec,
  DocumentWrite,
  StoredDocument,
  CollectionCheckpoints,
  AuditableDocuments,
  ConsumerCheckpoints,
} from '@waybill/shared-kernel/ports/read-store.js';
import { readLog, readWholeStream } from '@waybill/shared-kernel/read-stream.js';
import { categoryOf, streamName } from '@waybill/shared-kernel/stream.js';
import { suspendedOrders, suspendedProjection } from '../suspension/suspended-orders.js';
import { isStreamFault, type StreamFault } from '@waybill/shared-kernel/stream-faults.js';
import { readSuspensions } from '../suspension/suspension.js';
import { notBegun, sectionOf, standingAfter, worklist, worklistProjection, type Standing } from './worklist.js';
import { WorklistWriter, type WorklistStore } from './worklist-writer.js';

export interface CompletingDependencies {
  readonly store: StreamEvents & LogReader;
  readonly readStore: WorklistStore & CollectionCheckpoints & AuditableDocuments & ConsumerCheckpoints;
  readonly clock: WallClock;
  /** The writer of the partitions; what it has noted of one may be forgotten at any time. */
  readonly writer: Pick<WorklistWriter, 'forgetWritten'>;
  /** Name of the process manager's positions. */
  readonly consumer: string;
}

/** Documents that are checked together. */
const pageSize = 100;
/** How many write conflicts are met before it gives up. */
const mostConflicts = 10;

/**
 * Makes sure that the worklist and the list of suspended orders hold everything that the process manager has handled.
 * They lack something only if they are of a new version, were deleted, belong to another log, or an older program was
 * at work. Then the missing documents are made from the log, which is read once for all partitions. Documents of
 * another log are repaired in place, because other processes rely on what they have written.
 */
export class WorklistCompletion {
  readonly #dependencies: CompletingDependencies;
  readonly #complete = new Set<number>();
  #working: Promise<void> | undefined;
  /** How often the log turned out to be another, and for how many of these times the lists were repaired. */
  #renewals = 0;
  #mended = 0;

  constructor(dependencies: CompletingDependencies) {
    this.#dependencies = dependencies;
  }

  isComplete(partition: number): boolean {
    return this.#complete.has(partition);
  }

  /** Another process works on the partition: its part of the list is to be checked again. */
  forget(partition: number): void {
    this.#complete.delete(partition);
  }

  /** The process manager has followed another log, or a later state of this one: so the lists tell of that. */
  renew(): void {
    this.#complete.clear();
    this.#renewals += 1;
  }

  /** Resolves when the lists hold all of the partition. Rejects if a store is down; call it again then. */
  async complete(partition: number): Promise<void> {
    if (this.#complete.has(partition)) return;
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
    await this.#working;
    if (this.#complete.has(partition)) return;
    throw new Unavailable('worklist', `Partition ${partition} is yet to be followed in this log.`);
  }

  async #work(): Promise<void> {
    const { store, readStore, consumer, writer } = this.#dependencies;
    await this.#declare();
    const noted = await readStore.positions(worklist);
    const renewals = this.#renewals;
    if (this.#mended < renewals || (await misfits(store, noted)).length > 0) {
      writer.forgetWritten();
      await this.#mend(worklist, (orderId, stored) => this.#worklistWrite(orderId, stored));
      await this.#mend(suspendedOrders, (orderId, stored) => this.#suspendedWrite(orderId, stored));
      writer.forgetWritten();
      this.#mended = renewals;
    }
    const listed = await Promise.all(noted.map((position) => this.#shared(position)));
    const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
    const handled = await Promise.all(partitions.map((partition) => readStore.consumerPosition(consumer, partition)));
    const misfitting = await Promise.all(
      handled.map(async (position) => (await misfits(store, [position])).length > 0),
    );
    // Of those that do not fit it is not known yet from where they go on in this log.
    const known = partitions.filter((partition) => !misfitting[partition]!);
    const behind = known.filter((partition) => listed[partition]!.through < handled[partition]!.through);
    const from = Math.min(...behind.map((partition) => listed[partition]!.through));
    const to = Math.max(...behind.map((partition) => handled[partition]!.through));
    if (behind.length > 0) {
      const missing = new WorklistWriter(this.#dependencies);
      let through = from;
      for await (const page of readLog(store, from, to)) {
        ({ through } = page);
        const orderIds = new Set<string>();
        for (const { stream, partitionKey } of page.events) {
          const isMissing = categoryOf(stream) === 'fulfilment' && behind.includes(partitionOf(partitionKey));
          if (isMissing) orderIds.add(partitionKey);
        }
        for (const orderId of orderIds) await this.#listOrDoubt(orderId, missing);
        await Promise.all(behind.map((partition) => missing.flush(partition)));
      }
      if (through < to) throw new Unavailable('event store', 'The log does not show yet what was handled.');
    }
    for (const partition of behind) {
      const batch = { collection: worklist, partition, writes: [], position: handled[partition]! };
      await readStore.commit(batch);
    }
    if (this.#renewals !== renewals) return;
    for (const partition of known) this.#complete.add(partition);
  }

  async #declare(): Promise<void> {
    for (const list of [worklist, suspendedOrders]) await this.#dependencies.readStore.declare(list);
  }

  /** A position as far as it is of this log. */
  async #shared(position: LogPosition): Promise<LogPosition> {
    return sharedPart(position, await judgePosition(this.#dependencies.store, position));
  }

  /** Rewrites the documents that differ from this log, on condition that they are still as they were read. */
  async #mend(
    collection: CollectionSpec,
    anew: (orderId: string, stored: StoredDocument) => Promise<DocumentWrite>,
  ): Promise<void> {
    const { readStore } = this.#dependencies;
    for (let after: string | undefined; ;) {
      const page = await readStore.scan(collection, after, pageSize);
      for (const document of page) {
        let stored: StoredDocument | undefined = document;
        for (let round = 0; stored !== undefined; round += 1) {
          if (round > mostConflicts)
            throw new Unavailable('read store', 'There were too many conflicts with other process managers.');
          const write = await unlessFault(anew(stored.key, stored));
          // What cannot be read any more stays as it was.
          if (isStreamFault(write)) break;
          if (isDeepStrictEqual([write.revisions, write.sections], [stored.revisions, stored.sections])) break;
          const batch = { collection, partition: partitionOf(stored.key), writes: [write], position: logBeginning };
          if ((await readStore.commit(batch)).length === 0) break;
          [stored] = await readStore.load(collection, [stored.key]);
        }
      }
      if (page.length < pageSize) return;
      after = page.at(-1)!.key;
    }
  }

  async #worklistWrite(key: string, stored: StoredDocument): Promise<DocumentWrite> {
    const { standing, revision } = await this.#standing(key);
    const section = sectionOf(standing);
    const sections = section === undefined ? {} : { fulfilment: section };
    const revisions = section === undefined ? {} : { fulfilment: revision };
    const fields = worklistProjection.fields(sections);
    return { key, ...asStored(stored), revisions, sections, fields, projectedAt: timestamp(this.#dependencies.clock) };
  }

  async #suspendedWrite(key: string, stored: StoredDocument): Promise<DocumentWrite> {
    const { store, clock } = this.#dependencies;
    const { last } = await readSuspensions(store, key);
    if (last !== undefined) return suspensionWrite(key, last, stored, { store, clock }, stored.degraded?.error);
    const nothing = { revisions: {}, sections: {}, fields: suspendedProjection.fields({}) };
    return { key, ...asStored(stored), ...nothing, projectedAt: timestamp(clock) };
  }

  async #listOrDoubt(orderId: string, writer: WorklistWriter): Promise<void> {
    const fault = await unlessFault(this.#list(orderId, writer));
    if (isStreamFault(fault)) await noteFault(orderId, fault, this.#dependencies);
  }

  async #list(orderId: string, writer: WorklistWriter): Promise<void> {
    const { store } = this.#dependencies;
    const { standing, revision, wasSuspended } = await this.#standing(orderId);
    const section = sectionOf(standing);
    if (section !== undefined) writer.note({ orderId, revision, ...section });
    const { last } = wasSuspended ? await readSuspensions(store, orderId) : { last: undefined };
    if (last !== undefined) await noteSuspension(orderId, last, this.#dependencies);
  }

  /** The document as its stream says, as far as that can be applied. Rejects with what keeps it from being read. */
  async #standing(
    orderId: string,
  ): Promise<{ readonly standing: Standing; readonly revision: number; readonly wasSuspended: boolean }> {
    const { store } = this.#dependencies;
    let standing: Standing = notBegun;
    let revision = noStream;
    let wasSuspended = false;
    try {
      for await (const recorded of readWholeStream(store, streamName('fulfilment', orderId))) {
        wasSuspended ||= recorded.type === 'FulfilmentSuspended';
        standing = standingAfter(standing, upcast(recorded) as FulfilmentEvent | SuspensionEvent);
        ({ revision } = recorded);
      }
    } catch (error) {
      if (error instanceof Unavailable || isStreamFault(error)) throw error;
    }
    return { standing, revision, wasSuspended };
  }
}

/** The result, or why a stream cannot be read. */
async function unlessFault<T>(work: Promise<T>): Promise<T | StreamFault> {
  try {
    return await work;
  } catch (error) {
    if (isStreamFault(error)) return error;
    throw error;
  }
}

function asStored({ revisions, degraded }: StoredDocument): Pick<DocumentWrite, 'expected' | 'expectedDegraded'> {
  return { expected: revisions, ...(degraded !== undefined && { expectedDegraded: degraded }) };
}
