import { once } from 'node:events';
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import { pino } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { createWriteApi } from '@waybill/command-side/write-api.js';
import { systemClock, systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { dataFiles, readConfig, type Config } from '@waybill/infra/config.js';
import { lockDataFolder, prepareDataFolder, type DataFolderLock } from '@waybill/infra/data-folder.js';
import { startAppendWorker } from '@waybill/infra/event-store/sqlite/append-worker.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openDevelopmentKey } from '@waybill/infra/http/development-key.js';
import { listen } from '@waybill/infra/http/listen.js';
import { createTokenVerifier } from '@waybill/infra/http/tokens.js';
import { cachedKeys } from '@waybill/infra/keys/cached.js';
import { openSqliteKeyStore } from '@waybill/infra/keys/sqlite/key-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { projections } from '@waybill/projections/catalogue.js';
import { createReadApi } from '@waybill/query-side/read-api.js';
import { BadConfiguration, WaybillError } from '@waybill/shared-kernel/errors.js';
import type { FollowersData, FollowersSay } from './followers.js';

// Everything in one process on one data folder: `npm start`. Three threads share the work: this one answers both APIs,
// one writes the log (its disk waits are nobody else's), one follows it.

/** How long a data key that another process destroyed may still be used here, milliseconds. */
const keyCacheTtl = 30_000;
/** A command line that looks whether a server runs holds the lock for a moment; milliseconds. */
const lockPatience = 1_000;

interface Running {
  readonly writeUrl: string;
  readonly readUrl: string;
  /** Takes no new requests, finishes what is under way, and lets the data folder go. */
  stop(): Promise<void>;
  /** Resolves, with a sentence, when a part of it ended that should not have. */
  readonly broken: Promise<string>;
}

async function start(config: Config): Promise<Running> {
  const log = pino({ level: 'warn' }, pino.destination(2));
  const [clock, randomness, timer] = [systemClock, systemRandomness, systemTimer];
  prepareDataFolder(config.dataFolder);
  const lock = await takeLock(config.dataFolder);
  const files = dataFiles(config.dataFolder);

  const { trusted } = await openDevelopmentKey(files.developmentKey);
  const verify = createTokenVerifier(trusted, clock);
  const keyStore = openSqliteKeyStore({
    file: files.keys,
    masterKeyFile: files.masterKey,
    masterKeyText: process.env['WAYBILL_MASTER_KEY'],
    randomness,
  });
  const keys = cachedKeys(keyStore, { maxKeys: 10_000, ttlMs: keyCacheTtl, clock });

  const writer = await startAppendWorker(files.log);
  const events = openSqliteEventStore(files.log, { clock, appender: writer.port() });
  const readStore = openSqliteReadStore(files.readModels);
  for (const { collection } of projections) await readStore.declare(collection);

  const appender = writer.port();
  const followers = new Worker(new URL('./followers.js', import.meta.url), {
    workerData: { dataFolder: config.dataFolder, appender } satisfies FollowersData,
    transferList: [appender],
    // Events live from their reading to their batch's commit: room for them to die young.
    resourceLimits: { maxYoungGenerationSizeMb: 128 },
  });
  let following = false;
  followers.on('message', (message: FollowersSay) => {
    if (message.says === 'following') following = true;
    else log.warn({ of: message.of }, message.message);
  });

  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const shared = { verify, metrics, log, clock, randomness, timer, keys };
  const { host } = config;
  const readApi = createReadApi({
    ...shared,
    events,
    readStore,
    ready: () => {
      const checks = { 'read models': following ? 'ok' : 'catching up with the log' };
      return Promise.resolve({ ready: following, checks });
    },
  });

  const read = await listen(readApi, {
    host,
    port: config.readPort,
    hostVariable: 'WAYBILL_HOST',
    portVariable: 'WAYBILL_READ_PORT',
  });

  const writeApi = createWriteApi({
    ...shared,
    store: events,
    publicReadUrl: config.publicReadUrl ?? read.url,
    ready: async () => {
      await events.head();
      return { ready: true, checks: { 'event store': 'ok' } };
    },
  });
  const write = await listen(writeApi, {
    host,
    port: config.writePort,
    hostVariable: 'WAYBILL_HOST',
    portVariable: 'WAYBILL_WRITE_PORT',
  });
  return {
    writeUrl: write.url,
    readUrl: read.url,
    stop: async () => {
      await Promise.all([write.close(), read.close()]);
      followers.postMessage('stop');
      await once(followers, 'exit');
      await events.close();
      await writer.close();
      await readStore.close();
      await keys.close();
      lock.release();
    },
    broken: Promise.race([
      once(followers, 'error').then(([error]) => `The thread that follows the log ended: ${String(error)}`),
      writer.ended.then((error) => `The thread that writes the log ended: ${String(error)}`),
    ]),
  };
}

async function takeLock(dataFolder: string): Promise<DataFolderLock> {
  for (let waited = 0; waited <= lockPatience; waited += 100) {
    const lock = lockDataFolder(dataFolder);
    if (lock !== undefined) return lock;
    await systemTimer.sleep(100);
  }
  throw new BadConfiguration(
    `The data folder ${dataFolder} is in use by another Waybill server: stop that one, or set WAYBILL_DATA to another folder.`,
  );
}

function greet({ writeUrl, readUrl }: Running, { dataFolder }: Config): void {
  process.stdout.write(`Waybill is running.

  write API  ${writeUrl}  (documentation: ${writeUrl}/docs)
  read API   ${readUrl}  (documentation: ${readUrl}/docs)
  data       ${dataFolder}

A token to try it with:  npx waybill token --role operator --sub me
Orders at work:          npx waybill demo
Stop with Ctrl-C.
`);
}

/** Ends the process: a fault a person can mend is one sentence, anything else comes with where it happened. */
function fail(error: unknown): never {
  const isExpected = error instanceof WaybillError;
  process.stderr.write(`${isExpected ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(isExpected && error.kind === 'bad-configuration' ? 2 : 3);
}

try {
  const config = readConfig();
  const running = await start(config);
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    running.stop().then(() => process.exit(0), fail);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  void running.broken.then((sentence) => {
    if (stopping) return;
    process.stderr.write(`${sentence}\n`);
    process.exit(1);
  });
  greet(running, config);
} catch (error) {
  fail(error);
}
