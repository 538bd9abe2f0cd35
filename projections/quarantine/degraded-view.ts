import type { Degraded, FailedEvent } from '@waybill/shared-kernel/ports/read-store.js';

/** What readers are told of a document that stands still. */
export interface DegradedView {
  /** RFC 3339 UTC. */
  readonly since: string;
  readonly reason: string;
}

/** Names the event and nothing else: what went wrong with it is for operators. */
export function degradedView({ since, event }: Pick<Degraded, 'since'> & { readonly event: EventName }): DegradedView {
  const { type, revision, stream } = event;
  return { since, reason: `${type}, revision ${revision} of ${stream}, cannot be applied; it and what follows wait.` };
}

type EventName = Pick<FailedEvent, 'type' | 'revision' | 'stream'>;
