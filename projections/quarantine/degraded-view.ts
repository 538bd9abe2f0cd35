import type { CutStream, Degraded, FailedEvent } from '@waybill/shared-kernel/ports/read-store.js';

/** What the API says of a quarantined document. */
export interface DegradedView {
  /** RFC 3339 UTC. */
  readonly since: string;
  readonly reason: string;
}

/** The event or stream that quarantined it. */
type Named =
  | { readonly event: Pick<FailedEvent, 'type' | 'revision' | 'stream'>; readonly cut?: never }
  | { readonly cut: CutStream; readonly event?: never };

/** Names only the event or the stream: what went wrong with it is for operators. */
export function degradedView({ since, ...named }: Pick<Degraded, 'since'> & Named): DegradedView {
  return { since, reason: reasonOf(named) };
}

function reasonOf({ event, cut }: Named): string {
  if (cut !== undefined) return `${cutText(cut)}. This is the last state that is known.`;
  const { type, revision, stream } = event;
  if (type === '') return `Revision ${revision} of ${stream} cannot be read; it and what follows wait.`;
  return `${type}, revision ${revision} of ${stream}, cannot be applied; it and what follows wait.`;
}

/** What became of a stream, without a full stop. */
export function cutText({ stream, firstRevision }: CutStream): string {
  const left = firstRevision === null ? 'none is left' : `the first that is left has revision ${firstRevision}`;
  return `Events of ${stream} are gone from the event store: ${left}`;
}
