import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { ErrorRequestHandler, RequestHandler, Response } from 'express';
import helmet from 'helmet';
import type { Answer, StreamedAnswer } from './route.js';

/** What is known of a request before anything is decided about it; lives in `response.locals`. */
export type RequestLocals = {
  requestId: string;
  /** W3C trace context below which all that it causes belongs: its own span's, or else the caller's. */
  traceparent: string | undefined;
  /** `performance.now()` at its head. */
  startedAt: number;
  /** Path of the route that took it, as declared; `none` while there is none. */
  route: string;
  /** What a browser is told of who may call, as a flat list of headers. */
  cors: readonly string[];
};

type Parameters = Readonly<Record<string, string | string[]>>;
export type Handler = RequestHandler<Parameters, unknown, unknown, unknown, RequestLocals>;
export type ErrorHandler = ErrorRequestHandler<Parameters, unknown, unknown, unknown, RequestLocals>;
export type Reply = Response<unknown, RequestLocals>;

/** Helmet's headers never change from answer to answer, so they are asked for once, as a flat list. */
function securityHeaders(contentSecurityPolicy: string): readonly string[] {
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  helmet({ contentSecurityPolicy: false })(request, response, () => {});
  response.setHeader('Content-Security-Policy', contentSecurityPolicy);
  return response.getHeaderNames().flatMap((name) => [name, String(response.getHeader(name))]);
}

const apiHeaders = securityHeaders("default-src 'none'; frame-ancestors 'none'");

/** For a page that loads its scripts from here and nothing from elsewhere; what it renders styles its own elements. */
export const pageHeaders = securityHeaders(
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/** Sends an answer. Past Express's `send`, which would look again at what is known already. */
export function send(response: Reply, answer: Answer, fixed: readonly string[] = apiHeaders): void {
  if (response.destroyed) return;
  const { body, status } = answer;
  const headers = headersOf(response, answer, fixed);
  if (body === undefined) {
    response.writeHead(status, headers).end();
    return;
  }
  headers.push(...typeOf(answer), 'Content-Length', String(Buffer.byteLength(body)));
  response.writeHead(status, headers).end(body);
}

/** How long a client may take over a piece. */
export interface Patience {
  readonly stalledMs: number;
  /** Between two looks whether the piece may still be sent, milliseconds. */
  readonly lookEveryMs: number;
}

const answerTimeoutMs: Patience = { stalledMs: 30_000, lookEveryMs: 1_000 };

/**
 * Sends an answer piece by piece, each when the client has taken the one before. Resolves when all has gone, or the
 * client has; then no further piece is asked for. Whoever takes too long over a piece, or over one that may not be sent any
 * more, is cut off, and what is ready for them is dropped. Rejects where a piece cannot be made: the answer has broken off.
 */
export async function sendPieces(
  response: Reply,
  answer: StreamedAnswer,
  { stalledMs, lookEveryMs }: Patience = answerTimeoutMs,
): Promise<void> {
  if (response.destroyed) return;
  response.writeHead(answer.status, [...headersOf(response, answer, apiHeaders), ...typeOf(answer)]);
  if (response.req.method === 'HEAD') {
    response.end();
    return;
  }

  /** Whether the client has taken what is written now. */
  async function isTaken(write: (done: () => void) => void): Promise<boolean> {
    const ended = new AbortController();
    const taken = new Promise<true>((resolve) => {
      const done = () => resolve(true);
      response.once('close', done);
      ended.signal.addEventListener('abort', () => response.off('close', done));
      write(done);
    });
    try {
      for (let waitedMs = 0; waitedMs < stalledMs; waitedMs += lookEveryMs) {
        if (await within(taken, lookEveryMs)) return !response.destroyed;
        if ((await answer.mayStillBeSent?.()) === false) break;
      }
    } finally {
      ended.abort();
    }
    response.socket?.resetAndDestroy();
    return false;
  }

  for await (const piece of answer.pieces) {
    if (!(await isTaken((done) => response.write(piece, done)))) return;
  }
  await isTaken((done) => response.end(done));
}

async function within(taken: Promise<true>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  try {
    return await Promise.race([taken, late]);
  } finally {
    clearTimeout(timer);
  }
}

type Head = Pick<Answer, 'headers'>;

function headersOf(response: Reply, { headers: given = {} }: Head, fixed: readonly string[]): string[] {
  const headers = [...fixed, ...response.locals.cors, 'X-Request-Id', response.locals.requestId];
  for (const name in given) headers.push(name, given[name]!);
  if (!('Cache-Control' in given)) headers.push('Cache-Control', 'no-store');
  return headers;
}

function typeOf({ headers = {} }: Head): readonly string[] {
  return 'Content-Type' in headers ? [] : ['Content-Type', 'application/json; charset=utf-8'];
}
