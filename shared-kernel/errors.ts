/**
 * Every refusal and fault that crosses a boundary of ours, as classes that carry data and know nothing of HTTP.
 * `infra/http/problem.ts` maps each to a status, `projections/cli` to an exit code.
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

/** There is no such thing, or it is not the caller's to know of. */
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

/** An id that the caller chose is taken. */
export class AlreadyExists extends WaybillError {
  readonly kind = 'already-exists';
  constructor(
    readonly what: string,
    readonly id: string,
  ) {
    super(`The ${what} ${id} exists already.`);
  }
}

/** The caller is known but may not do this. */
export class Forbidden extends WaybillError {
  readonly kind = 'forbidden';
}

/** No token, or none that holds. */
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

/** The same `Idempotency-Key` is being worked on right now, or writers kept winning against this one. */
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

/** An event of it could not be applied before there was anything to show: somebody has to mend and release it. */
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
