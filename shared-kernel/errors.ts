/**
 * Every refusal and fault that crosses a boundary of ours, as classes that carry data and know nothing of HTTP.
 * `infra/http/problem.ts` maps each to a status, `cli/exit-code.ts` to an exit code.
 */
export abstract class WaybillError extends Error {
  /** Stable name of the kind, part of the public problem `type`. */
  abstract readonly kind: string;
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

export interface FieldFault {
  /** RFC 6901 JSON pointer into the request body; `''` is the body itself. */
  readonly pointer: string;
  readonly detail: string;
  /** Where the fault is not in the body: the parameter of path or query, or the header. The pointer is then `/<it>`. */
  readonly parameter?: string;
}

/** The input is not what the command takes. */
export class InvalidInput extends WaybillError {
  readonly kind = 'invalid-input';
  constructor(
    readonly faults: readonly FieldFault[],
    message = 'The input is not valid.',
  ) {
    super(message);
  }
}

/** The thing does not exist, or the caller may not know that it does. */
export class NotFound extends WaybillError {
  readonly kind = 'not-found';
  constructor(
    readonly what: string,
    readonly id: string,
    detail = `There is no ${what} ${id}.`,
  ) {
    super(detail);
  }
}

/** The state of the aggregate forbids the command. `rule` is stable, for programs. */
export class RuleViolated extends WaybillError {
  readonly kind = 'rule-violated';
  constructor(
    readonly rule: string,
    message: string,
  ) {
    super(message);
  }
}

/** A limit has been reached. `limit` is its stable name, for programs. */
export class LimitReached extends WaybillError {
  readonly kind = 'limit-reached';
  constructor(
    readonly limit: string,
    message: string,
    /** Seconds after which there may be more; `undefined`: never. */
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

/** The id that the caller chose is taken. The message does not say by whom. */
export class IdTaken extends WaybillError {
  readonly kind = 'id-taken';
  constructor(readonly id: string) {
    super(`The id ${id} is taken. Choose another.`);
  }
}

/** The caller is known but may not do this. */
export class Forbidden extends WaybillError {
  readonly kind = 'forbidden';
}

/** The request has no token, or one that is not valid. */
export class Unauthenticated extends WaybillError {
  readonly kind = 'unauthenticated';
}

/** `If-Match` names another revision than the current one. */
export class RevisionMismatch extends WaybillError {
  readonly kind = 'revision-mismatch';
  constructor(readonly currentRevision: number) {
    super(`The current revision is ${currentRevision}.`);
  }
}

/** A command that needs an `Idempotency-Key` came without one, or with one that is none. */
export class IdempotencyKeyMissing extends WaybillError {
  readonly kind = 'idempotency-key-missing';
}

/** The same `Idempotency-Key` came before with another payload. */
export class IdempotencyKeyReused extends WaybillError {
  readonly kind = 'idempotency-key-reused';
  constructor() {
    super('This Idempotency-Key was used with another payload.');
  }
}

/** The same `Idempotency-Key` is being worked on right now, or there were too many conflicts with other writers. */
export class ConcurrentRequest extends WaybillError {
  readonly kind = 'concurrent-request';
}

/** The event store: the stream is not at the revision the append named. */
export class WrongExpectedRevision extends WaybillError {
  readonly kind = 'wrong-expected-revision';
  constructor(
    readonly stream: string,
    readonly expected: number,
    /** Current revision of the stream, −1 where it has no events. */
    readonly actual: number,
  ) {
    super(`Stream ${stream} is at revision ${actual}, not ${expected}.`);
  }
}

/** Events of a stream are gone: it was truncated, deleted or tombstoned, or has a gap. Trying again does not help. */
export class StreamCut extends WaybillError {
  readonly kind = 'stream-cut';
  constructor(
    readonly stream: string,
    /** Revision of the first event that is left behind those that are gone; `undefined`: none is, or the stream was tombstoned. */
    readonly firstRevision: number | undefined,
    /** Revision of the first event that is gone, where that is known: what comes before it can be read. */
    readonly goneFrom = 0,
  ) {
    const left = goneFrom === 0 ? 'the first event that is left' : `the first event from revision ${goneFrom} on`;
    super(
      firstRevision === undefined
        ? `Stream ${stream} was cut: none of its events is left.`
        : `Stream ${stream} was cut: ${left} has revision ${firstRevision}.`,
    );
  }
}

/** An event of a stream cannot be read as one of ours. Trying again does not help. */
export class StreamUnreadable extends WaybillError {
  readonly kind = 'stream-unreadable';
  constructor(
    readonly stream: string,
    readonly revision: number,
    readonly position: number,
    why: string,
  ) {
    super(`The event at revision ${revision} of stream ${stream}, position ${position}, cannot be read: ${why}.`);
  }
}

/** Something this needs is down or did not answer in time. Trying again later may help. */
export class Unavailable extends WaybillError {
  readonly kind = 'unavailable';
  constructor(
    /** `event store`, `read store`, `broker`, `key store` … */
    readonly what: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Fulfilment is too far behind to accept more orders now. Trying again later helps. */
export class Overloaded extends WaybillError {
  readonly kind = 'overloaded';
  constructor(readonly retryAfterSeconds: number) {
    // Most requests may end so, and nobody reads where: a stack would be a tenth of what such a refusal costs.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(`The service is overloaded. Try again in ${retryAfterSeconds} s.`);
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The read store can never hold this document: it is too large, or its values are not what the collection takes. */
export class DocumentNotStorable extends WaybillError {
  readonly kind = 'document-not-storable';
  constructor(
    readonly key: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The first event of the document could not be applied, so there is nothing to show. An operator has to release it. */
export class Quarantined extends WaybillError {
  readonly kind = 'quarantined';
  constructor(
    readonly what: string,
    readonly id: string,
    readonly degraded: { readonly since: string; readonly reason: string },
  ) {
    super(`The ${what} ${id} cannot be shown: ${degraded.reason}`);
  }
}

/** The read model did not reach the write of the caller's Consistency-Token within the time it would wait. */
export class ReadModelBehind extends WaybillError {
  readonly kind = 'read-model-behind';
}

/**
 * A read model, relay or list was made from another log than this one, or from a later state of it. Nothing is answered
 * from it until it is rebuilt.
 */
export class LogMismatch extends WaybillError {
  readonly kind = 'log-mismatch';
  /** The message for callers of the read API. */
  static readonly forReaders =
    'The read model was made from another log than the current one, or from a later state of it. It can be read again once an operator has rebuilt it: waybill rebuild --all.';
  /** How operators repair it. */
  static readonly remedy = 'Run waybill rebuild --all: it rebuilds everything derived from this log.';
  constructor(
    /** Whose position does not fit, as the subject of a sentence. */
    readonly what: string,
    why: string,
  ) {
    super(
      `${what} was made from another log than this one, or from a later state of it: ${why}. ${LogMismatch.remedy}`,
    );
  }
}

/** An event of a newer version than this code knows: the reader pauses; it never skips. */
export class EventFromTheFuture extends WaybillError {
  readonly kind = 'event-from-the-future';
  constructor(
    readonly eventType: string,
    readonly schemaVersion: number,
  ) {
    super(`Event ${eventType} version ${schemaVersion} is newer than this program knows. Upgrade it.`);
  }
}

/** A file or folder that cannot be used as it is; the message says which and what to do. */
export class BadDataFile extends WaybillError {
  readonly kind = 'bad-data-file';
}

/** Configuration that cannot work; the message names the variable and what it takes. */
export class BadConfiguration extends WaybillError {
  readonly kind = 'bad-configuration';
}
