import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { systemRandomness } from '../../../clock/system.js';
import { openSqliteKeyStore } from '../key-store.js';

/** A thread that opens the key store of a folder, which may be new, and says which key a subject got. */
const folder = workerData as string;
const keys = openSqliteKeyStore({
  file: join(folder, 'keys.sqlite'),
  masterKeyFile: join(folder, 'master.key'),
  randomness: systemRandomness,
});
const key = await keys.create('somebody');
await keys.close();
parentPort?.postMessage(Buffer.from(key ?? []).toString('hex'));
