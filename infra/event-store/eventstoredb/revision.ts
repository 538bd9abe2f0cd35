import { NO_STREAM } from '@eventstore/db-client';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';

/** What to tell the server that a stream is expected to be at: revisions are bigint there and start at `0n`, as ours. */
export function expectedRevisionOf(revision: number): bigint | typeof NO_STREAM {
  return revision === noStream ? NO_STREAM : BigInt(revision);
}

/** The revision that the server says a stream is at. */
export function revisionOf(version: bigint | typeof NO_STREAM): number {
  return version === NO_STREAM ? noStream : Number(version);
}
