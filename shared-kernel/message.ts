/** Who caused a message: the `sub` of the token and the role in which it acted. */
export interface Actor {
  readonly sub: string;
  readonly role: string;
}

/**
 * A fact that is about to be appended. `data` is flat and made of JSON primitives (lists of flat objects for
 * order lines); money is integer minor units with an ISO 4217 currency beside it; personal data is sealed
 * (see `personal-data.ts`).
 */
export interface NewEvent {
  /** A UUID, its own. Made by rule only where whoever records the event records the same: payments, stock, imports. */
  readonly id: string;
  readonly type: string;
  /** Version of the shape of `data`, from 1. Readers upcast older ones, see `events/upcast.ts`. */
  readonly schemaVersion: number;
  /** When it happened, RFC 3339 UTC with milliseconds. */
  readonly occurredAt: string;
  readonly correlationId: string;
  /** Id of the command or event that caused this one. */
  readonly causationId: string;
  readonly actor?: Actor;
  /** The order's id for everything about an order, else the aggregate's id. Decides the partition. */
  readonly partitionKey: string;
  /** W3C trace context of the request. */
  readonly traceparent?: string;
  /** The request that caused it, where a client could repeat that: see `idempotency.ts`. */
  readonly request?: RequestMark;
  /** Imported history: nothing acts on it. */
  readonly imported?: true;
  readonly data: EventData;
}

export interface RequestMark {
  /** UUID v5 of caller, acting role, method, path and Idempotency-Key: see `idempotency.ts`. */
  readonly id: string;
  /** Keyed hash of the payload, base64url; unreadable once the key of `subject` is destroyed. Empty: see `isByRule`. */
  readonly hash: string;
  /** Whose data key made the hash. */
  readonly subject: string;
}

/** Nobody sent the request: its id follows from what it asks for, as that of an order for a product's stock. */
export function isByRule({ hash }: Pick<RequestMark, 'hash'>): boolean {
  return hash === '';
}

export type EventData = { readonly [field: string]: unknown };

/** An event as the log holds it, byte for byte what was appended plus what the store gave it. */
export interface RecordedEvent extends NewEvent {
  readonly stream: string;
  /** Place in its stream, from 0 without gaps. */
  readonly revision: number;
  /** Place in the log: rises, may have gaps, meaning nothing but order. An opaque string everywhere outside. */
  readonly position: number;
  /** When the store took it, RFC 3339 UTC with milliseconds. Never goes backwards along the log. */
  readonly recordedAt: string;
}
