import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { Order, Started, WorkerData } from './append-worker-thread.js';
import { faultOf } from './worker-protocol.js';

/** A thread that writes a log for any number of others, so that they do not wait for the disk. */
export interface AppendWorker {
  /** A new way to it, for one `openSqliteEventStore`; may be transferred to another thread first. */
  port(): MessagePort;
  /** Commits what has reached it, then ends. Stores that still use it answer `Unavailable` from then on. */
  close(): Promise<void>;
  /** Ends it at once, whatever it is doing; what was not acknowledged may or may not be in the log. */
  kill(): Promise<void>;
  /** Resolves when the thread has ended, with the error if it ended by one. */
  readonly ended: Promise<Error | undefined>;
}

/** Starts the thread. Rejects with `BadDataFile` or `Unavailable` when it cannot open the file. */
export async function startAppendWorker(
  file: string,
  options: { answerTimeoutMs?: number } = {},
): Promise<AppendWorker> {
  const workerData: WorkerData = { file, ...options };
  const worker = new Worker(new URL('./append-worker-thread.js', import.meta.url), { workerData });
  let error: Error | undefined;
  worker.on('error', (thrown: Error) => (error = thrown));
  const ended = new Promise<Error | undefined>((resolve) => {
    worker.once('exit', () => {
      resolve(error);
    });
  });
  const started = await Promise.race([
    new Promise<Started>((resolve) => worker.once('message', resolve)),
    ended.then((cause): Started => ({ failure: { kind: 'unavailable', message: `No log writer: ${cause?.message}` } })),
  ]);
  if (started !== 'ready') {
    await ended;
    throw faultOf(started.failure);
  }
  return {
    port() {
      const { port1, port2 } = new MessageChannel();
      worker.postMessage({ connect: port2 } satisfies Order, [port2]);
      return port1;
    },
    async close() {
      worker.postMessage('close' satisfies Order);
      await ended;
    },
    async kill() {
      await worker.terminate();
    },
    ended,
  };
}
