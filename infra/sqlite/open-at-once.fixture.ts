import { parentPort, workerData } from 'node:worker_threads';
import { openDatabase } from './database.js';
import { whenFree } from './when-free.js';

const { file, gate } = workerData as { file: string; gate: SharedArrayBuffer };

// All four wait here for the last, then race.
const arrived = new Int32Array(gate);
if (Atomics.add(arrived, 0, 1) === 3) Atomics.notify(arrived, 0);
for (let seen = Atomics.load(arrived, 0); seen < 4; seen = Atomics.load(arrived, 0)) Atomics.wait(arrived, 0, seen, 10);

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
parentPort?.postMessage('opened');
