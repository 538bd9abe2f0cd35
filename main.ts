import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { pino } from 'pino';
import { createWriteApi } from '@waybill/command-side/write-api.js';
import { systemClock, systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { dataFiles, readConfig, shown, type Config } from '@waybill/infra/config.js';
import { occupyDataFolder } from '@waybill/infra/data-folder.js';
import { openEventStore, openKeys, openReadStore } from '@waybill/infra/engines.js';
import { startAppendWorker } from '@waybill/infra/event-store/sqlite/append-worker.js';
import { processMetrics } from '@waybill/infra/http/health.js';
import { listen } from '@waybill/infra/http/listen.js';
import { tokenVerifierOf } from '@waybill/infra/http/token-verifier.js';
import { cachedKeys, keyCacheBounds } from '@waybill/infra/keys/cached.js';
import { runProcess, type Running } from '@waybill/infra/run-process.js';
import { projections } from '@waybill/projections/catalogue.js';
import { liveProjections } from '@waybill/projections/rebuild/change-versions.js';
import { followedLog } from '@waybill/shared-kernel/log-identity.js';
import { createReadApi } from '@waybill/query-side/read-api.js';
import type { FollowersData, FollowersSay } from './followers.js';

// Everything in one process on one data folder: `npm start`. Three threads share the work: this one answers both APIs,
// one writes the log (its disk waits are nobody else's), one follows it. The log, the broker and the read models may be
// servers; then there are two threads, or three.

await runProcess(() => start(readConfig()));

async function start(config: Config): Promise<Running> {
  const log = pino({ level: 'warn' }, pino.destination(2));
  const [clock, randomness, timer] = [systemClock, systemRandomness, systemTimer];
  const lock = await occupyDataFolder(config.dataFolder);
  const { metrics, countFault } = processMetrics();
  const report = ({ message }: Error, of: string): void => {
    countFault(of);
    log.warn({ of }, message);
  };

  const verify = await tokenVerifierOf(config, clock);
  const keys = cachedKeys(openKeys(config, randomness), { ...keyCacheBounds, clock });
  const writer =
    config.eventStore.kind === 'sqlite' ? await startAppendWorker(dataFiles(config.dataFolder).log) : undefined;
  const events = openEventStore(config, { clock, report, appender: writer?.port() });
  const readStore = openReadStore(config);
  await liveProjections(projections, readStore);

  const appender = writer?.port();
  const followers = new Worker(new URL('./followers.js', import.meta.url), {
    workerData: { config, appender } satisfies FollowersData,
    transferList: appender === undefined ? [] : [appender],
    // Events live from their reading to their batch's commit: room for them to die young.
    resourceLimits: { maxYoungGenerationSizeMb: 128 },
  });
  let following = false;
  followers.on('message', (message: FollowersSay) => {
    if (message.says === 'following') following = true;
    else report(new Error(message.message), message.of);
  });

  const shared = { verify, metrics, log, clock, randomness, timer, keys };
  const { host } = config;
  const readApi = createReadApi({
    ...shared,
    events: followedLog(events, readStore),
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
  const followersEnded = once(followers, 'error').then(
    ([error]) => `The thread that follows the log ended: ${String(error)}`,
  );
  return {
    greeting: greeting(config, write.url, read.url),
    stop: async () => {
      await Promise.all([write.close(), read.close()]);
      followers.postMessage('stop');
      await once(followers, 'exit');
      await events.close();
      await writer?.close();
      await readStore.close();
      await keys.close();
      lock.release();
    },
    broken:
      writer === undefined
        ? followersEnded
        : Promise.race([
            followersEnded,
            writer.ended.then((error) => `The thread that writes the log ended: ${String(error)}`),
          ]),
  };
}

function greeting(config: Config, writeUrl: string, readUrl: string): string {
  const servers = [config.eventStore, config.broker, config.readStore].flatMap((engine) =>
    'url' in engine ? [`  server     ${shown(engine.url)}\n`] : [],
  );
  return `Waybill is running.

  write API  ${writeUrl}  (documentation: ${writeUrl}/docs)
  read API   ${readUrl}  (documentation: ${readUrl}/docs)
  data       ${config.dataFolder}
${servers.join('')}
A token to try it with:  npx waybill token --role operator --sub me
Orders at work:          npx waybill demo
Stop with Ctrl-C.
`;
}
