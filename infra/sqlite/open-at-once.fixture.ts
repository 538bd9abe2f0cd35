import { parentPort, workerData } from 'node:worker_threads';
import { openDatabase } from './database.js';
import { whenFree } from './when-free.js';

/** One of several threads that, file after file, open the same new one at the same moment. */
export interface Racing {
  readonly files: readonly string[];
  readonly threads: number;
  /** Four bytes that all of them share. */
  readonly gate: SharedArrayBuffer;
}

const { files, threads, gate } = workerData as Racing;
const arrived = new Int32Array(gate);

for (const [round, file] of files.entries()) {
  Atomics.add(arrived, 0, 1);
  Atomics.notify(arrived, 0);
  const all = threads * (round + 1);
  for (let seen = Atomics.load(arrived, 0); seen < all; seen = Atomics.load(arrived, 0)) Atomics.wait(arrived, 0, seen);

  const database = openDatabase(file, {
    what: 'test store',
    schema: {
      applicationId: 0x5762_7474,
      version: 2,
      migrate(made) {
        made.exec('CREATE TABLE notes (text TEXT, by TEXT) STRICT');
      },
    },
  });
  await whenFree(() => {
    database.exec("INSERT INTO notes VALUES ('opened', NULL)");
  });
  database.close();
}
parentPort?.postMessage('done');
