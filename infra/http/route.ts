import type { IncomingHttpHeaders } from 'node:http';
import type { Access } from './access.js';
import type { Caller } from './identity/caller.js';

export type Method = 'GET' | 'POST';

/** The names after colons in a path: `'/v1/orders/:orderId'` → `'orderId'`. */
type ParameterNames<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParameterNames<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

export interface ApiRequest<Path extends string = string, Who = Caller> {
  readonly method: Method;
  /** The path with its ids as they are: one spelling for all requests that mean the same. No query. */
  readonly path: string;
  /** The path of its route, as declared: few enough for a label. */
  readonly route: string;
  /** The ids in the path; each has the shape of an id. */
  readonly params: Readonly<Record<ParameterNames<Path>, string>>;
  /** What stands after the question mark, undecoded; `''` when there is none. */
  readonly search: string;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** The JSON body of a POST; `undefined` when it has none. */
  readonly body: unknown;
  readonly caller: Who;
  /** The operation's row in the table of who may do what. */
  readonly access: Access;
  /** The caller's `X-Request-Id` if it was sane, else a UUID. Goes back in the answer. */
  readonly requestId: string;
  /** The caller's W3C trace context if it was valid. */
  readonly traceparent: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON text; absent for 204 and 304. */
  readonly body?: string;
}

/** An answer that is made while it is sent: of any length, and never whole in memory. */
export interface StreamedAnswer extends Omit<Answer, 'body'> {
  /** JSON text, in pieces that are asked for one after the other. */
  readonly pieces: AsyncIterable<string>;
  /** Asked while a client takes its time: whether the piece that was given last may still be sent. */
  readonly mayStillBeSent?: () => Promise<boolean>;
}

/** Answers with a value as JSON. */
export function json(status: number, value: unknown, headers?: Readonly<Record<string, string>>): Answer {
  const body = JSON.stringify(value);
  return headers === undefined ? { status, body } : { status, headers, body };
}

/** One operation of an API. */
export type Route = TokenRoute | SignedRoute;

/** For whoever brings a token. Who may call it says the API's `AccessTable`; what is whose, the handler. */
export interface TokenRoute {
  readonly method: Method;
  /** With `:name` where an id stands. */
  readonly path: string;
  readonly handle: (request: ApiRequest) => Answer | Promise<Answer | StreamedAnswer>;
}

/** For another program, which brings no token and signs what it sends instead: see `admit.ts`. */
export interface SignedRoute {
  readonly method: 'POST';
  /** Without ids. */
  readonly path: string;
  /** What it is signed with. */
  readonly secret: string;
  readonly handle: (request: SignedRequest) => Answer | Promise<Answer>;
}

export interface SignedRequest extends Pick<ApiRequest, 'requestId' | 'traceparent'> {
  /** The JSON that was signed. */
  readonly body: unknown;
}

/** Declares an operation. Throws what `errors.ts` has; `problem.ts` says what becomes of it. */
export function route<const Path extends string>(
  method: Method,
  path: Path,
  handle: (request: ApiRequest<Path>) => Answer | Promise<Answer | StreamedAnswer>,
): TokenRoute {
  return { method, path, handle };
}
