import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { AggregateSnapshots } from '@waybill/command-side/handling/snapshots/aggregate-snapshots.js';
import { handledThroughIn } from '@waybill/command-side/fulfilment/handled-through.js';
import { OrderAdmission } from '@waybill/command-side/ordering/admission.js';
import { finishErasures } from '@waybill/command-side/customers/finish-erasures.js';
import { LiveLook } from '@waybill/command-side/handling/live-look.js';
import { createWriteApi } from '@waybill/command-side/write-api.js';
import { HeardCommits } from '@waybill/infra/commit-signal/between-threads.js';
import { assertPortsDiffer, isEmbedded, readConfig, shown, type Config } from '@waybill/infra/process/config.js';
import { occupyDataFolder } from '@waybill/infra/process/data-folder.js';
import { openKeys, openReadStore, openSnapshots } from '@waybill/infra/process/engines.js';
import { KnownOutage, OutageBegun } from '@waybill/infra/event-store/eventstoredb/outage.js';
import { edgeOf } from '@waybill/infra/http/edge.js';
import { listen } from '@waybill/infra/http/server/listen.js';
import { tokenVerifierOf } from '@waybill/infra/http/identity/token-verifier.js';
import { cachedKeys, keyCacheBounds } from '@waybill/infra/keys/cached.js';
import { webhookSecretOf } from '@waybill/infra/payment-gateway/webhook-secret.js';
import { webhookPath } from '@waybill/infra/payment-gateway/open-gateway.js';
import { processDependencies } from '@waybill/infra/process/process-dependencies.js';
import { runProcess, type Running } from '@waybill/infra/process/run-process.js';
import { joinedMetrics, type MetricsAsJson } from '@waybill/infra/telemetry/joined-metrics.js';
import { startTelemetry } from '@waybill/infra/telemetry/telemetry.js';
import { openWrittenLog } from '@waybill/infra/process/written-log.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { liveProjections } from '@waybill/projections/rebuild/change-versions.js';
import { rebuildMisfits } from '@waybill/projections/rebuild/rebuild-misfits.js';
import { believedClock } from '@waybill/shared-kernel/believed-clock.js';
import { BadDataFile } from '@waybill/shared-kernel/errors.js';
import { createReadApi } from '@waybill/query-side/read-api.js';
import type { FollowersData, FollowersSay, FollowersTold } from './followers.js';

// Everything in one process on one data folder: `npm start`. Three threads share the work: this one answers both APIs,
// one writes the log (its disk waits are nobody else's), one follows it. The log, the broker and the read models may be
// servers; then there are two threads, or three.

await runProcess(() => start(readConfig()));

async function start(config: Config): Promise<Running> {
  const dependencies = processDependencies({ level: 'warn' });
  const { clock, steadyClock, randomness, report, recovered, quarantined } = dependencies;
  assertPortsDiffer(config);
  const lock = await occupyDataFolder(config.dataFolder);

  const telemetry = await startTelemetry('waybill', config, dependencies.metrics);
  const verify = await tokenVerifierOf(config, { wallClock: clock, steadyClock });
  const keys = cachedKeys(openKeys(config, randomness), { ...keyCacheBounds, clock: steadyClock });
  // By which events are dated: a jump ahead for a moment stays in none of them.
  const eventClock = believedClock({ wallClock: clock, steadyClock });
  const log = await openWrittenLog(config, { ...dependencies, clock: eventClock });
  const { events } = log;
  const readStore = openReadStore(config);
  await liveProjections(projections, readStore);
  const derived = { store: events, readStore, clock, randomness };
  const misfits = isEmbedded(config) ? await rebuildMisfits(projections, derived) : [];
  if (misfits.length > 0) {
    process.stderr.write(
      `${misfits.join(', ')}: made from another log than the current one, or from a later state of it. They are being rebuilt from this log; until then reads are refused.\n`,
    );
  }
  const snapshots = new AggregateSnapshots({
    ...dependencies,
    store: openSnapshots(config),
    clock: steadyClock,
    count: telemetry.countSnapshots(),
  });

  const commits = new HeardCommits();
  const appender = log.appender();
  const followers = new Worker(new URL('./followers.js', import.meta.url), {
    workerData: { config, appender, listening: commits.listening } satisfies FollowersData,
    transferList: appender === undefined ? [] : [appender],
    // Events live from their reading to their batch's commit: room for them to die young.
    resourceLimits: { maxYoungGenerationSizeMb: 128 },
  });
  const tell = (told: FollowersTold): void => followers.postMessage(told);
  let following = false;
  let standing: Readonly<Record<string, string>> = {};
  const scrapes: ((metrics: MetricsAsJson) => void)[] = [];
  const begun = new Promise<void>((resolve, reject) => {
    followers.on('message', (message: FollowersSay) => {
      if (message.says === 'begun') resolve();
      else if (message.says === 'refused') reject(new BadDataFile(message.message));
    });
    followers.once('error', reject);
  });
  followers.on('message', (message: FollowersSay) => {
    if (message.says === 'following') following = true;
    else if (message.says === 'committed') commits.hear(message.partitions);
    else if (message.says === 'quarantined') quarantined(message.notice);
    else if (message.says === 'standing') ({ standing } = message);
    else if (message.says === 'metrics') scrapes.shift()?.(message.metrics);
    else if (message.says === 'recovered') recovered(message.message, message.of);
    else if (message.says === 'fault') {
      const { of, message: text, outage } = message;
      if (outage === undefined) report(new Error(text), of);
      else report(outage === 'begun' ? new OutageBegun(of, text) : new KnownOutage(of, text), of);
    }
  });

  const metrics = joinedMetrics(dependencies.metrics, () => {
    return new Promise((resolve) => {
      scrapes.push(resolve);
      tell('metrics');
    });
  });
  await begun;
  const finishing = finishErasures({ ...dependencies, store: events, keys });
  const shared = { ...dependencies, ...edgeOf(config), metrics, verify, keys, traceRequest: telemetry.traceRequest };
  const { host } = config;
  const readApi = createReadApi({
    ...shared,
    events,
    readStore,
    commitSignal: commits,
    ready: () => {
      const checks = { 'read models': following ? 'ok' : 'catching up with the log', ...standing };
      return Promise.resolve({ ready: following && Object.keys(standing).length === 0, checks });
    },
  });
  const read = await listen(readApi, { host, port: config.readPort, portVariable: 'WAYBILL_READ_PORT' });

  const writeApi = createWriteApi({
    ...shared,
    clock: eventClock,
    store: telemetry.store(events),
    count: telemetry.countCommands(),
    admission: new OrderAdmission({ handledThrough: handledThroughIn(readStore), steadyClock }),
    snapshots,
    // A file is read as quickly.
    look:
      config.eventStore.kind === 'eventstoredb'
        ? new LiveLook({ ...dependencies, store: events, clock: steadyClock })
        : undefined,
    webhookSecret: webhookSecretOf(config, randomness),
    publicReadUrl: config.publicReadUrl ?? read.url,
    ready: async () => {
      await events.head();
      return { ready: true, checks: { 'event store': 'ok' } };
    },
  });
  const write = await listen(writeApi, { host, port: config.writePort, portVariable: 'WAYBILL_WRITE_PORT' });
  tell({ noticesAt: `${write.url}${webhookPath}` });
  const followersEnded = once(followers, 'error').then(
    ([error]) => `The thread that follows the log ended: ${String(error)}`,
  );
  return {
    greeting: greeting(config, write.url, read.url),
    stop: async () => {
      await Promise.all([write.close(), read.close(), finishing.stop()]);
      tell('stop');
      await once(followers, 'exit');
      await snapshots.close();
      await log.close();
      await readStore.close();
      await keys.close();
      await telemetry.close();
      lock.release();
    },
    broken: Promise.race(log.broken === undefined ? [followersEnded] : [followersEnded, log.broken]),
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
  payments   ${config.paymentUrl === undefined ? 'a simulator, which takes no money' : shown(config.paymentUrl)}
${servers.join('')}
A token to try it with:  npx waybill token --role operator --sub me
Orders at work:          npx waybill demo
Stop with Ctrl-C.
`;
}
