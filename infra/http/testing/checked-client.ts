import type { OpenApiDocument } from '../pages/openapi.js';
import { exchangeCheck, type ExchangeCheck } from './openapi-check.js';

export interface Call {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it stands, instead of `body`. */
  readonly text?: string;
}

export interface Reply<Body> {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; `undefined` when there was none. */
  readonly body: Body;
  readonly text: string;
}

/** Calls an API and throws where an exchange is not as its OpenAPI document says. */
export interface CheckedClient {
  call<Body = unknown>(method: string, path: string, call?: Call): Promise<Reply<Body>>;
}

/** Compiling one takes long. */
const checks = new WeakMap<OpenApiDocument, ExchangeCheck>();

function checkOf(document: OpenApiDocument): ExchangeCheck {
  let check = checks.get(document);
  if (check === undefined) checks.set(document, (check = exchangeCheck(document)));
  return check;
}

/** A client for tests. `url`: of the API, without a slash at its end. */
export function checkedClient(url: string, document: OpenApiDocument): CheckedClient {
  const check = checkOf(document);
  return {
    async call<Body>(method: string, path: string, { token, headers, body, text }: Call = {}) {
      const requestHeaders = new Headers(headers);
      if (token !== undefined) requestHeaders.set('Authorization', `Bearer ${token}`);
      const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
      if (sent !== undefined && !requestHeaders.has('Content-Type')) {
        requestHeaders.set('Content-Type', 'application/json');
      }
      const response = await fetch(`${url}${path}`, {
        method,
        headers: requestHeaders,
        ...(sent === undefined ? {} : { body: sent }),
      });
      const answer = await response.text();
      const responseBody = answer === '' ? undefined : (JSON.parse(answer) as unknown);
      const faults = check({
        method,
        path,
        requestHeaders,
        requestBody: body,
        status: response.status,
        responseHeaders: response.headers,
        responseBody,
      });
      if (faults.length > 0) {
        throw new Error(`${method} ${path} → ${response.status} ${answer}\n${faults.join('\n')}`);
      }
      return { status: response.status, headers: response.headers, body: responseBody as Body, text: answer };
    },
  };
}
