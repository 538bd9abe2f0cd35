import type { IncomingMessage } from 'node:http';
import express, { type Express } from 'express';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { InvalidInput, Unauthenticated, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { UuidSource } from '@waybill/shared-kernel/ports/clock.js';
import { idPattern } from '@waybill/shared-kernel/stream.js';
import { traceparentFrom } from '@waybill/shared-kernel/traceparent.js';
import { accessTo, requireRole, type AccessTable } from './access.js';
import { admit, admitSigned } from './admit.js';
import { corsHeaders } from './cors.js';
import type { Edge } from './edge.js';
import type { Api } from './server/listen.js';
import { messagesOf } from './server/messages.js';
import { observeRequests } from './metrics.js';
import { mount } from './mount.js';
import { isOurFault, problemAnswer, RequestRefused } from './problem.js';
import { OpenDownloads } from './open-downloads.js';
import { mountPublicPages, type PublicParts } from './pages/public-pages.js';
import { parseJson, readBody, readBytes } from './server/read-body.js';
import type { TraceRequest } from '../telemetry/tracing.js';
import { requestIdFrom, traceIdOf } from './request-context.js';
import type { Answer, Method, Route, SignedRoute, TokenRoute } from './route.js';
import { send, sendPieces, type ErrorHandler, type Handler, type Reply, type RequestLocals } from './send.js';
import type { TokenVerifier } from './identity/tokens.js';

export interface ApiParts extends PublicParts, Edge {
  readonly routes: readonly Route[];
  /** Who may call them; a route that it does not name is for nobody. */
  readonly access: AccessTable;
  readonly verify: TokenVerifier;
  readonly log: Pick<Logger, 'error' | 'warn' | 'info' | 'isLevelEnabled'>;
  /** While tracing is on: a span for each request of an operation. */
  readonly traceRequest?: TraceRequest | undefined;
  readonly randomness: UuidSource;
}

/** The ids of a path. Throws `InvalidInput` for what no id can be. */
function idsOf(params: Readonly<Record<string, string | string[]>>): Record<string, string> {
  const ids: Record<string, string> = {};
  for (const name in params) {
    const id = params[name];
    if (typeof id !== 'string' || !idPattern.test(id)) {
      const detail = 'An id is 1 to 64 of A-Z a-z 0-9 _ -.';
      throw new InvalidInput([{ pointer: `/${name}`, parameter: name, detail }], `${name} is not an id.`);
    }
    ids[name] = id;
  }
  return ids;
}

/** The path as its route spells it, whatever escapes the caller used: ids need none. */
function canonicalPath(path: string, ids: Readonly<Record<string, string>>): string {
  let result = path;
  for (const name in ids) result = result.replace(`:${name}`, ids[name]!);
  return result;
}

function searchOf(url: string): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark + 1);
}

interface Entrance extends Pick<ApiParts, 'access' | 'verify' | 'rateLimit'> {
  readonly downloads: OpenDownloads;
}

/** Who calls is asked before a byte of the body is read. */
function serve(route: TokenRoute, { access: table, verify, rateLimit, downloads }: Entrance): Handler {
  const access = accessTo(table, route.method, route.path);
  return async (request, response) => {
    const { headers } = request;
    const caller = await admit(request, verify, rateLimit);
    requireRole(caller, access);
    const params = idsOf(request.params);
    const answer = await route.handle({
      method: route.method,
      path: canonicalPath(route.path, params),
      route: route.path,
      params,
      search: searchOf(request.url),
      headers,
      body: route.method === 'POST' ? await readBody(request, response) : undefined,
      caller,
      access,
      requestId: response.locals.requestId,
      traceparent: response.locals.traceparent,
    });
    if ('pieces' in answer) await downloads.send(caller.sub, () => sendPieces(response, answer));
    else send(response, answer);
  };
}

function serveSigned(route: SignedRoute, { access, rateLimit }: Entrance): Handler {
  if (accessTo(access, route.method, route.path) !== 'signed') {
    throw new Error(`${route.method} ${route.path} is signed, and its row does not say so`);
  }
  return async (request, response) => {
    const bytes = await admitSigned(request, route.secret, () => readBytes(request, response), rateLimit);
    const { requestId, traceparent } = response.locals;
    send(response, await route.handle({ body: parseJson(request, bytes), requestId, traceparent }));
  };
}

function mountRoutes(app: Express, { routes, ...entrance }: Pick<ApiParts, 'routes'> & Entrance): void {
  const paths = new Map<string, Map<Method, Handler>>();
  for (const route of routes) {
    const handlers = paths.get(route.path) ?? new Map<Method, Handler>();
    if (handlers.has(route.method)) throw new Error(`${route.method} ${route.path} is declared twice`);
    const handler = 'secret' in route ? serveSigned(route, entrance) : serve(route, entrance);
    paths.set(route.path, handlers.set(route.method, handler));
  }
  for (const [path, handlers] of paths) mount(app, path, handlers);
}

/** RFC 6750 §3.1: only a caller who sent a token learns that the token was at fault. */
function challenge(answer: Answer, error: unknown, { headers }: IncomingMessage): Answer {
  if (!(error instanceof Unauthenticated) || !/^Bearer\b/i.test(headers.authorization ?? '')) return answer;
  return {
    ...answer,
    headers: { ...answer.headers, 'WWW-Authenticate': 'Bearer realm="waybill", error="invalid_token"' },
  };
}

/** What a log line tells of a request: nothing that it says about anybody. */
function aboutRequest({ method }: IncomingMessage, { requestId, traceparent, route }: RequestLocals): object {
  return { requestId, ...(traceparent !== undefined && { traceId: traceIdOf(traceparent) }), method, route };
}

/** A span from here until the answer has gone, or nobody waits for it any more. */
function trace(traceRequest: TraceRequest, { method }: IncomingMessage, response: Reply): void {
  const { locals } = response;
  const span = traceRequest(method ?? 'GET', locals.traceparent);
  locals.traceparent = span.traceparent;
  response.once('close', () => span.end(locals.route, response.statusCode));
}

/** An API of these routes, with what both APIs have: see the contract, "Both APIs". Everything else is refused. */
export function createApi(parts: ApiParts): Api {
  const { log, randomness, traceRequest } = parts;
  const saysEachRequest = log.isLevelEnabled('info');
  const cors = corsHeaders(parts.corsOrigins ?? []);
  const requests = new Registry();
  const observe = observeRequests(requests);
  const app = express()
    .disable('x-powered-by')
    .disable('etag')
    .disable('query parser')
    .enable('strict routing')
    .enable('case sensitive routing');

  const begin: Handler = (request, response, next) => {
    const { locals } = response;
    locals.requestId = requestIdFrom(request.headers['x-request-id'], randomness);
    const { traceparent } = request.headers;
    // Sent twice, it is none.
    locals.traceparent = typeof traceparent === 'string' ? traceparentFrom(traceparent) : undefined;
    locals.startedAt = performance.now();
    locals.route = 'none';
    locals.cors = cors(request);
    if (traceRequest !== undefined && request.url.startsWith('/v1/')) trace(traceRequest, request, response);
    response.once('finish', () => {
      const seconds = (performance.now() - locals.startedAt) / 1000;
      observe(request.method, locals.route, response.statusCode, seconds);
      if (saysEachRequest && locals.route.startsWith('/v1/')) {
        log.info({ ...aboutRequest(request, locals), status: response.statusCode, seconds }, 'answered');
      }
    });
    next();
  };
  const notFound: Handler = () => {
    throw new RequestRefused('no-such-path', 'This path does not exist.');
  };
  const answerError: ErrorHandler = (error: unknown, request, response, _next) => {
    const { requestId } = response.locals;
    const about = aboutRequest(request, response.locals);
    if (response.headersSent) {
      log.error({ err: error, ...about }, 'an answer broke off');
      response.destroy();
      return;
    }
    // While a server is down every request says so: a sentence each will do.
    if (error instanceof Unavailable) log.warn(about, error.message);
    else if (isOurFault(error)) log.error({ err: error, ...about }, 'a request failed');
    send(response, challenge(problemAnswer(error, requestId), error, request));
  };

  app.use(begin);
  mountRoutes(app, { ...parts, downloads: new OpenDownloads() });
  mountPublicPages(app, parts, requests);
  app.use(notFound);
  app.use(answerError);
  return Object.assign(app, { messages: messagesOf(app) });
}
