import type { IncomingMessage, ServerResponse } from 'node:http';
import express from 'express';
import { RequestRefused } from '../problem.js';

/** The longest body that is read, in bytes, also after decompression. */
export const longestBody = 64 * 1024;

const jsonType = /^application\/json *(;|$)/i;
const parse = express.json({ limit: longestBody, strict: false });
const take = express.raw({ limit: longestBody, type: () => true });

type Incoming = IncomingMessage & { body?: unknown };

/** The JSON body of a request, `undefined` where it has none. */
export function readBody(request: Incoming, response: ServerResponse): Promise<unknown> {
  const { headers } = request;
  const length = headers['content-length'];
  if (headers['transfer-encoding'] === undefined && (length === undefined || length === '0')) {
    return Promise.resolve(undefined);
  }
  if (!jsonType.test(headers['content-type'] ?? '')) return Promise.reject(notJson());
  return run(parse, request, response);
}

/** The bytes of a body as they were sent; none where it has none. */
export async function readBytes(request: Incoming, response: ServerResponse): Promise<Uint8Array> {
  if (request.headers['content-encoding'] !== undefined) {
    throw new RequestRefused('unsupported-media-type', 'A signed body must have no Content-Encoding.');
  }
  const body = await run(take, request, response);
  return body instanceof Uint8Array ? body : new Uint8Array();
}

/** The JSON that bytes spell. Throws `RequestRefused`. */
export function parseJson({ headers }: IncomingMessage, bytes: Uint8Array): unknown {
  if (!jsonType.test(headers['content-type'] ?? '')) throw notJson();
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new RequestRefused('malformed-json', 'The body is not well-formed JSON.');
  }
}

function notJson(): RequestRefused {
  return new RequestRefused('unsupported-media-type', 'The body must be application/json.');
}

function run(read: typeof parse, request: Incoming, response: ServerResponse): Promise<unknown> {
  return new Promise((resolve, reject) => {
    read(request, response, (error?: unknown) => {
      if (error === undefined) resolve(request.body);
      // What it throws of zlib's is looked at, not made an error again.
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      else reject(error);
    });
  });
}
