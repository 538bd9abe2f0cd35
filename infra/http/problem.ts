import {
  InvalidInput,
  LimitReached,
  LogMismatch,
  Overloaded,
  Quarantined,
  RevisionMismatch,
  StreamCut,
  Unavailable,
  WaybillError,
  type FieldFault,
} from '@waybill/shared-kernel/errors.js';
import type { Answer } from './route.js';

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** Seconds after which trying again may help. */
  readonly retryAfter?: number;
  /** The fault is ours: its message is for the log, and the caller gets `detail` alone. */
  readonly ours?: { readonly detail: string };
}

const faultOfOurs = { detail: 'An internal error occurred. Quote the request id when you report it.' };

/**
 * What each kind of refusal and fault becomes outside. The first part is `shared-kernel/errors.ts`, kind by kind; the
 * second is what only HTTP knows. The kinds are public: they end the problem's `type`.
 */
export const problemKinds = {
  'invalid-input': { status: 400, title: 'The input is not valid' },
  'not-found': { status: 404, title: 'Not found' },
  'rule-violated': { status: 409, title: 'The current state does not allow this' },
  'limit-reached': { status: 429, title: 'The limit has been reached' },
  'id-taken': { status: 409, title: 'The id is taken' },
  forbidden: { status: 403, title: 'The caller is not allowed to do this' },
  unauthenticated: { status: 401, title: 'A valid token or signature is required' },
  'revision-mismatch': { status: 412, title: 'If-Match does not name the current revision' },
  'idempotency-key-missing': { status: 400, title: 'An Idempotency-Key is required' },
  'idempotency-key-reused': { status: 422, title: 'The Idempotency-Key was used with another payload' },
  'concurrent-request': { status: 409, title: 'The request conflicts with a concurrent one' },
  'wrong-expected-revision': { status: 409, title: 'The stream was changed by a concurrent request' },
  unavailable: {
    status: 503,
    title: 'A required service is unavailable',
    retryAfter: 5,
    ours: { detail: 'A required service does not answer. Try again later.' },
  },
  overloaded: { status: 429, title: 'The service is overloaded', retryAfter: 1 },
  quarantined: { status: 503, title: 'The document is quarantined until an operator releases it', retryAfter: 60 },
  'stream-cut': { status: 410, title: 'Events are missing from the event store' },
  'stream-unreadable': { status: 503, title: 'An event cannot be read until an operator repairs it', retryAfter: 60 },
  'document-not-storable': { status: 500, title: 'Internal error', ours: faultOfOurs },
  'read-model-behind': { status: 503, title: 'The read model has not reached that write yet', retryAfter: 1 },
  'log-mismatch': { status: 503, title: 'The read model was made from another log', retryAfter: 60 },
  'event-from-the-future': {
    status: 503,
    title: 'The log is newer than this program',
    retryAfter: 60,
    ours: { detail: 'This program is being upgraded. Try again later.' },
  },
  'bad-data-file': { status: 500, title: 'Internal error', ours: faultOfOurs },
  'bad-configuration': { status: 500, title: 'Internal error', ours: faultOfOurs },

  'malformed-json': { status: 400, title: 'The body is not JSON' },
  'malformed-request': { status: 400, title: 'The request cannot be read' },
  'no-such-path': { status: 404, title: 'This path does not exist' },
  'method-not-allowed': { status: 405, title: 'This path does not support that method' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The media type, charset or encoding of the body is not supported' },
  'request-too-slow': { status: 408, title: 'The request took too long to arrive' },
  'too-many-requests': { status: 429, title: 'Too many requests', retryAfter: 1 },
  internal: { status: 500, title: 'Internal error', ours: faultOfOurs },
} as const satisfies Record<string, ProblemKind>;

export type ProblemKindName = keyof typeof problemKinds;

/** What HTTP itself refuses, before or beside any command or query. */
export class RequestRefused extends Error {
  constructor(
    readonly kind: ProblemKindName,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = 'RequestRefused';
  }
}

/** RFC 9457, as `application/problem+json` holds it. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly FieldFault[];
  readonly [extension: string]: unknown;
}

/** The stable `type` of a kind of problem. A name, not an address: nothing is to be fetched there. */
export function problemType(kind: ProblemKindName): string {
  return `urn:waybill:problem:${kind}`;
}

function isKind(name: unknown): name is ProblemKindName {
  return typeof name === 'string' && Object.hasOwn(problemKinds, name);
}

/** Errors of Express, its body parser and its router: `status` and, mostly, `type`. */
function kindOfExpressError(error: object): ProblemKindName {
  const status: unknown = 'status' in error ? error.status : undefined;
  const type: unknown = 'type' in error ? error.type : undefined;
  if (type === 'entity.parse.failed') return 'malformed-json';
  switch (status) {
    case 400:
      return 'malformed-request';
    case 413:
      return 'body-too-large';
    case 415:
      return 'unsupported-media-type';
    default:
      return 'internal';
  }
}

/** The kind of anything that was thrown. What nobody foresaw is `internal`. */
export function kindOf(error: unknown): ProblemKindName {
  if (error instanceof WaybillError || error instanceof RequestRefused) {
    return isKind(error.kind) ? error.kind : 'internal';
  }
  return typeof error === 'object' && error !== null ? kindOfExpressError(error) : 'internal';
}

/** Whether operators should hear of it. */
export function isOurFault(error: unknown): boolean {
  return 'ours' in problemKinds[kindOf(error)];
}

const detailsOfExpressErrors: Partial<Record<ProblemKindName, string>> = {
  'malformed-json': 'The body is not well-formed JSON.',
  'malformed-request': 'The address, a header or the body of the request is malformed.',
  'body-too-large': 'The body is larger than this service accepts.',
  'unsupported-media-type': 'Send application/json in UTF-8, plain or with gzip, deflate or br.',
};

function detailOf(kind: ProblemKindName, error: unknown): string {
  const { ours }: ProblemKind = problemKinds[kind];
  if (error instanceof Unavailable) return `The ${error.what} does not answer. Try again later.`;
  if (error instanceof LogMismatch) return LogMismatch.forReaders;
  if (ours !== undefined) return ours.detail;
  if (error instanceof WaybillError || error instanceof RequestRefused) return error.message;
  return detailsOfExpressErrors[kind] ?? problemKinds[kind].title;
}

function extensions(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof InvalidInput) return { errors: error.faults };
  if (error instanceof RevisionMismatch) return { currentRevision: error.currentRevision };
  if (error instanceof Quarantined) return { degraded: error.degraded };
  if (error instanceof StreamCut) return { stream: error.stream, firstRevision: error.firstRevision ?? null };
  if (error instanceof WaybillError && 'rule' in error) return { rule: error.rule };
  if (error instanceof LimitReached) return { limit: error.limit };
  return {};
}

function headersOf(kind: ProblemKindName, error: unknown): Readonly<Record<string, string>> {
  const { retryAfter }: ProblemKind = problemKinds[kind];
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json; charset=utf-8' };
  if (retryAfter !== undefined) headers['Retry-After'] = String(retryAfter);
  if (kind === 'unauthenticated') headers['WWW-Authenticate'] = 'Bearer realm="waybill"';
  if (error instanceof LimitReached && error.retryAfterSeconds !== undefined) {
    headers['Retry-After'] = String(error.retryAfterSeconds);
  }
  if (error instanceof RevisionMismatch) headers['ETag'] = `"${error.currentRevision}"`;
  if (error instanceof Overloaded) headers['Retry-After'] = String(error.retryAfterSeconds);
  return error instanceof RequestRefused ? { ...headers, ...error.headers } : headers;
}

/** The answer to a request that ended in `error`. Holds no stack, no path, and of our own faults no message. */
export function problemAnswer(error: unknown, requestId: string): Answer {
  const kind = kindOf(error);
  const { status, title } = problemKinds[kind];
  const problem: Problem = {
    type: problemType(kind),
    title,
    status,
    detail: detailOf(kind, error),
    ...extensions(error),
    ...(isOurFault(error) ? { requestId } : {}),
  };
  return { status, headers: headersOf(kind, error), body: JSON.stringify(problem) };
}
