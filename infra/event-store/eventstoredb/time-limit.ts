import type { StreamingRead } from '@eventstore/db-client';
import { Unavailable } from '@waybill/shared-kernel/errors.js';

/** No answer came, of any kind. */
export class NoAnswer extends Unavailable {}

/**
 * Settles as the answer does, or rejects with `NoAnswer` when that takes longer; what comes later is dropped. A
 * deadline given to the client does the same for the unary append only, and not while it looks for a node: a server
 * that is frozen is noticed by nothing else before the keepalive, after about 20 s.
 */
export function within<T>(limitMs: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(silence(limitMs)), limitMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** All that a read gives. Rejects with `NoAnswer` when nothing comes for so long. */
export function collect<T>(read: StreamingRead<T>, limitMs: number): Promise<readonly T[]> {
  return new Promise((resolve, reject) => {
    const items: T[] = [];
    const timer = setTimeout(() => {
      reject(silence(limitMs));
      // Leaving `for await` would leak the call; this ends it, and fails where it was never made.
      read.cancel().catch(() => undefined);
    }, limitMs);
    read.on('data', (item: T) => {
      items.push(item);
      timer.refresh();
    });
    read.on('end', () => {
      clearTimeout(timer);
      resolve(items);
    });
    // Stays for good: an error without a listener ends the process, and one can come after the time-out.
    read.on('error', (error: Error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

function silence(limitMs: number): NoAnswer {
  return new NoAnswer('event store', `EventStoreDB has not answered for ${Math.round(limitMs)} ms.`);
}
