import type { IncomingHttpHeaders } from 'node:http';
import { decodeConsistencyToken, type WritePoint } from '@waybill/shared-kernel/consistency-token.js';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';

const defaultWait = 2;
const longestWait = 10;

/** How a reader wants to see its own write. */
export interface Wish {
  readonly write: WritePoint;
  /** Seconds. */
  readonly wait: number;
  /** For the answer: `Preference-Applied` where the reader said how long. */
  readonly headers: Readonly<Record<string, string>>;
}

const noHeaders = {};

/** The seconds of `Prefer: wait=<seconds>` (RFC 7240 §4.3), at most `longestWait`. Other preferences are passed by. */
function preferredWait(prefer: string | string[] | undefined): number | undefined {
  if (prefer === undefined) return undefined;
  const match = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=[,;]|$)/i.exec(String(prefer));
  return match === null ? undefined : Math.min(Number(match[1]), longestWait);
}

function writeOf(token: string): WritePoint {
  try {
    return decodeConsistencyToken(token);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    const parameter = 'Consistency-Token';
    throw new InvalidInput([{ pointer: `/${parameter}`, parameter, detail: error.message }], error.message);
  }
}

/** The wish of a request's headers, `undefined` without a `Consistency-Token`. */
export function wishOf(headers: Readonly<IncomingHttpHeaders>): Wish | undefined {
  const token = headers['consistency-token'];
  if (token === undefined) return undefined;
  const write = writeOf(String(token));
  const wait = preferredWait(headers['prefer']);
  return wait === undefined
    ? { write, wait: defaultWait, headers: noHeaders }
    : { write, wait, headers: { 'Preference-Applied': `wait=${wait}` } };
}
