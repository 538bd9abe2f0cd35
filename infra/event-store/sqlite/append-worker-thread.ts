import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { GroupCommit } from './group-commit.js';
import { openLog } from './log-file.js';
import { LogWriter } from './log-writer.js';
import { batchOf, failureOf, messageOf, type SentBatch, type WorkerSays } from './worker-protocol.js';

export interface WorkerData {
  readonly file: string;
  /** How long a commit may wait for other processes' locks. */
  readonly answerTimeoutMs?: number;
}

/** What the thread that started the worker says to it. */
export type Order = { readonly connect: MessagePort } | 'close';
/** What it answers, once. */
export type Started = 'ready' | { readonly failure: ReturnType<typeof failureOf> };

const starter = parentPort;
if (starter === null) throw new Error('this is the entry of a worker thread');
try {
  serve(starter, workerData as WorkerData);
  starter.postMessage('ready' satisfies Started);
} catch (error) {
  starter.postMessage({ failure: failureOf(error) } satisfies Started);
  starter.close();
}

function serve(starter: MessagePort, { file, answerTimeoutMs }: WorkerData): void {
  const database = openLog(file);
  const ports = new Set<MessagePort>();
  const answered = new Set<MessagePort>();
  const say = (port: MessagePort, message: WorkerSays) => {
    port.postMessage(message);
  };

  const tellTheOthers = () => {
    for (const port of ports) if (!answered.has(port)) say(port, { grown: true });
    answered.clear();
  };
  const commits = new GroupCommit(new LogWriter(database), tellTheOthers, answerTimeoutMs);

  const connect = (port: MessagePort) => {
    ports.add(port);
    port.on('close', () => ports.delete(port));
    port.on('message', (sent: SentBatch) => {
      commits.submit(batchOf(sent), (answer) => {
        answered.add(port);
        say(port, messageOf(answer));
      });
    });
  };

  starter.on('message', (order: Order) => {
    if (order !== 'close') {
      connect(order.connect);
      return;
    }
    void commits.idle().then(() => {
      for (const port of ports) port.close();
      database.close();
      starter.close();
    });
  });
}
