import type { MessagePort } from 'node:worker_threads';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import { dataFiles, type Config } from './config.js';
import { openEventStore, type EventStoreDependencies } from './engines.js';
import { startAppendWorker } from '../event-store/sqlite/append-worker.js';

/** The log in a process that answers requests: where it is a file, a thread of its own waits for the disk. */
export interface WrittenLog {
  readonly events: EventStore;
  /** A new way to that thread for another one, if it is there: whoever asks for one must read what comes along it. */
  appender(): MessagePort | undefined;
  /** Resolves, with a sentence, when that thread ended without being asked to. */
  readonly broken?: Promise<string>;
  close(): Promise<void>;
}

export async function openWrittenLog(
  config: Config,
  dependencies: Omit<EventStoreDependencies, 'appender'>,
): Promise<WrittenLog> {
  const writer =
    config.eventStore.kind === 'sqlite' ? await startAppendWorker(dataFiles(config.dataFolder).log) : undefined;
  const events = openEventStore(config, { ...dependencies, appender: writer?.port() });
  return {
    events,
    appender: () => writer?.port(),
    ...(writer && { broken: writer.ended.then((error) => `The thread that writes the log ended: ${String(error)}`) }),
    close: async () => {
      await events.close();
      await writer?.close();
    },
  };
}
