import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import type { StreamEvents } from '@waybill/shared-kernel/ports/event-store.js';
import type { Revisions } from '@waybill/shared-kernel/projection.js';
import { whatCanBeRead } from '@waybill/shared-kernel/stream-faults.js';
import { categoryOf, type Category } from '@waybill/shared-kernel/stream.js';
import { firstPosition, type FoldedDocument } from './document-fold.js';
import { emptyDraft } from '../read-models/fold-document.js';
import {
  atSameRevisions,
  auditedFolded,
  folds,
  lifeOf,
  type AuditedDocument,
  type AuditedProjection,
} from './audited-document.js';
import { deviations, valueAt, type Difference } from './difference.js';

/** One document of a read model, held against what the log says of its key. */
export class DocumentTrial {
  constructor(
    private readonly projection: AuditedProjection,
    private readonly key: string,
    /** Folded from the whole log. */
    private readonly folded: FoldedDocument,
    private readonly store: StreamEvents,
  ) {}

  /**
   * The differences of a stored document from the log at its own revisions. Only where there may be one, its streams
   * are read again: to fold it up to those revisions, and to find the event from which on it went astray.
   * `appliedUpTo`: the position up to which everything of it must be applied.
   */
  async judge(stored: AuditedDocument, appliedUpTo: number): Promise<readonly Difference[]> {
    if (this.agrees(stored)) return [];
    const events = await this.#readEvents();
    return [
      ...this.#omissions(events, stored.revisions, appliedUpTo),
      ...this.#inventions(stored.revisions),
      ...this.#deviations(events, stored),
    ];
  }

  /** It has come as far as the log and says the same. */
  agrees(stored: AuditedDocument): boolean {
    const isWhole = Object.keys(this.folded.stuck).length === 0;
    return isWhole && this.isOfTheSameAge(stored) && deviations(this.#expected(), stored).length === 0;
  }

  /** It has come as far as the log. */
  isOfTheSameAge(stored: AuditedDocument): boolean {
    return atSameRevisions(stored, this.folded);
  }

  /** A document of the same age that differs, as one difference whose event was not looked for. */
  unexplained(stored: AuditedDocument): Difference {
    return this.#difference('', this.#expected(), stored, undefined);
  }

  /** The log knows of it and the read model has no document. */
  missing(): Difference {
    return this.#difference('', this.#expected(), undefined, firstPosition(this.folded));
  }

  #expected(): AuditedDocument {
    const { projection, folded } = this;
    return auditedFolded(projection, folded.partition, folded);
  }

  /** Events up to the applied position that the document passed over. */
  #omissions(events: readonly RecordedEvent[], revisions: Revisions, appliedUpTo: number): readonly Difference[] {
    return this.projection.categories.flatMap((category) => {
      const revision = revisions[category];
      const omitted = events.filter(
        (event) =>
          event.position <= appliedUpTo && categoryOf(event.stream) === category && event.revision > (revision ?? -1),
      );
      const [first] = omitted;
      if (first === undefined) return [];
      return [this.#difference(`/revisions/${category}`, omitted.at(-1)?.revision, revision, first.position)];
    });
  }

  /** Revisions that the log has not. */
  #inventions(revisions: Revisions): readonly Difference[] {
    return (Object.entries(revisions) as [Category, number][]).flatMap(([category, revision]) => {
      const known = this.folded.revisions[category];
      if (known !== undefined && revision <= known) return [];
      return [this.#difference(`/revisions/${category}`, known, revision, undefined)];
    });
  }

  #deviations(events: readonly RecordedEvent[], stored: AuditedDocument): readonly Difference[] {
    const reached = events.filter(({ stream, revision }) => revision <= (stored.revisions[categoryOf(stream)!] ?? -1));
    const life = [...lifeOf(this.projection, this.folded.partition, reached)];
    const now = life.at(-1) ?? auditedFolded(this.projection, this.folded.partition, emptyDraft());
    return deviations({ ...now, revisions: stored.revisions }, stored).map(({ path, expected, actual }) => {
      const lastRight = life.findLastIndex((then) => deviations(valueAt(then, path), actual).length === 0);
      return this.#difference(path, expected, actual, reached[lastRight + 1]?.position);
    });
  }

  async #readEvents(): Promise<readonly RecordedEvent[]> {
    const events: RecordedEvent[] = [];
    for (const { stream, last } of Object.values(this.folded.streams)) {
      // What cannot be read, and what follows it, is reported beside the differences.
      const { events: own } = await whatCanBeRead(this.store, stream);
      events.push(...own.filter((event) => event.position <= last && folds(this.projection, event)));
    }
    return events.sort((one, other) => one.position - other.position);
  }

  #difference(path: string, expected: unknown, actual: unknown, divergedAt: number | undefined): Difference {
    return {
      projection: this.projection.collection.name,
      key: this.key,
      path,
      expected: expected ?? null,
      actual: actual ?? null,
      divergedAt: divergedAt === undefined ? null : String(divergedAt),
    };
  }
}
