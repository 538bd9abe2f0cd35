import { PartProcess } from './part-process.js';

/** Everything in one process of its own, started as `npm start` starts it. */
export interface Server {
  readonly writeUrl: string;
  readonly readUrl: string;
  /** What it has printed so far, both streams. */
  output(): string;
  /** Sends a signal and waits for the end; the exit code, null when the signal ended it. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts the server on free ports and waits until it prints its URLs. Rejects with its output if it ends before. */
export async function startServer(dataFolder: string, environment: NodeJS.ProcessEnv = {}): Promise<Server> {
  const server = await PartProcess.start('all', {
    WAYBILL_DATA: dataFolder,
    WAYBILL_WRITE_PORT: '0',
    WAYBILL_READ_PORT: '0',
    ...environment,
  });
  return {
    writeUrl: server.urlAfter('write API'),
    readUrl: server.urlAfter('read API'),
    output: () => server.output,
    stop: (signal) => server.stop(signal),
  };
}
