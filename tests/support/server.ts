import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const mainFile = fileURLToPath(new URL('../../main.js', import.meta.url));

/** A server of our own in a process of its own, started as `npm start` starts it. */
export interface Server {
  readonly writeUrl: string;
  readonly readUrl: string;
  readonly process: ChildProcess;
  /** What it has printed so far, both streams. */
  output(): string;
  /** Sends a signal and waits for the end; the exit code, null when the signal ended it. */
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts the server on free ports and waits until it prints its URLs. Rejects with its output if it ends before. */
export async function startServer(dataFolder: string, environment: NodeJS.ProcessEnv = {}): Promise<Server> {
  const child = spawn(process.execPath, [mainFile], {
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      WAYBILL_DATA: dataFolder,
      WAYBILL_WRITE_PORT: '0',
      WAYBILL_READ_PORT: '0',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = once(child, 'exit');
  const urls = new Promise<{ writeUrl: string; readUrl: string }>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString('utf8');
      const writeUrl = /write API\s+(http:\S+)/.exec(output)?.[1];
      const readUrl = /read API\s+(http:\S+)/.exec(output)?.[1];
      if (writeUrl !== undefined && readUrl !== undefined) resolve({ writeUrl, readUrl });
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    void ended.then(() => {
      reject(new Error(`The server ended before it was ready:\n${output}`));
    });
  });
  return {
    ...(await urls),
    process: child,
    output: () => output,
    stop: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await ended;
      }
      return child.exitCode;
    },
  };
}
