import type { IncomingMessage, ServerResponse } from 'node:http';
import express from 'express';
import { RequestRefused } from './problem.js';

/** The longest body that is read, in bytes, also after decompression. */
export const longestBody = 64 * 1024;

const jsonType = /^application\/json *(;|$)/i;
const parse = express.json({ limit: longestBody, strict: false });

/** The JSON body of a request, `undefined` where it has none. */
export function readBody(request: IncomingMessage & { body?: unknown }, response: ServerResponse): Promise<unknown> {
  const { headers } = request;
  const length = headers['content-length'];
  if (headers['transfer-encoding'] === undefined && (length === undefined || length === '0')) {
    return Promise.resolve(undefined);
  }
  if (!jsonType.test(headers['content-type'] ?? '')) {
    return Promise.reject(new RequestRefused('unsupported-media-type', 'The body must be application/json.'));
  }
  return new Promise((resolve, reject) => {
    parse(request, response, (error?: unknown) => {
      if (error === undefined) resolve(request.body);
      // What it throws of zlib's is looked at, not made an error again.
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      else reject(error);
    });
  });
}
