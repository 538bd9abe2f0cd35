import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { Registry } from 'prom-client';
import { runPayments } from '@waybill/command-side/payments/run-payments.js';
import { BelievedTime } from '@waybill/command-side/fulfilment/deadlines/believed-time.js';
import { runFulfilment } from '@waybill/command-side/fulfilment/run-fulfilment.js';
import { relayProgress, startRelay } from '@waybill/command-side/relay/relay.js';
import { LiveLook } from '@waybill/command-side/handling/live-look.js';
import { AggregateSnapshots } from '@waybill/command-side/handling/snapshots/aggregate-snapshots.js';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { sayCommits } from '@waybill/infra/commit-signal/between-threads.js';
import { systemClock, systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import type { Config } from '@waybill/infra/process/config.js';
import {
  openBroker,
  openEventStore,
  openReadStore,
  openRequestReply,
  openSnapshots,
} from '@waybill/infra/process/engines.js';
import { KnownOutage, OutageBegun } from '@waybill/infra/event-store/eventstoredb/outage.js';
import { openGateway } from '@waybill/infra/payment-gateway/open-gateway.js';
import type { MetricsAsJson } from '@waybill/infra/telemetry/joined-metrics.js';
import { measureFulfilment, measureSuspended } from '@waybill/command-side/fulfilment/measure-fulfilment.js';
import { measureRelay } from '@waybill/command-side/relay/measure-relay.js';
import { tellFigures } from '@waybill/infra/telemetry/progress-metrics.js';
import { measureReadModels } from '@waybill/projections/projecting/measure-read-models.js';
import { startTelemetry } from '@waybill/infra/telemetry/telemetry.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { keepReadModels } from '@waybill/projections/projecting/keep-read-models.js';
import { liveProjections } from '@waybill/projections/rebuild/change-versions.js';
import { everyPartition } from '@waybill/shared-kernel/partitions/assignment.js';
import { believedClock } from '@waybill/shared-kernel/believed-clock.js';
import { DeliveryOwners } from '@waybill/shared-kernel/partitions/delivery-owners.js';
import { WaybillError } from '@waybill/shared-kernel/errors.js';
import { notedIdentity } from '@waybill/shared-kernel/subscriptions/log-identity.js';
import type { QuarantineNotice } from '@waybill/shared-kernel/subscriptions/quarantine-notice.js';
import { StallDetector } from '@waybill/shared-kernel/subscriptions/stall-detector.js';
import { watchAll, type WatchBatch } from '@waybill/shared-kernel/watch.js';
import { HeadWatch } from '@waybill/shared-kernel/subscriptions/watch-head.js';

/** What the thread is given. */
export interface FollowersData {
  readonly config: Config;
  /** The way to the thread that writes the log, where there is one. */
  readonly appender: MessagePort | undefined;
  /** Of each partition, how many wait for its commits in the thread that answers. */
  readonly listening: SharedArrayBuffer;
}

/** A message to the thread: where notices of the payment gateway go, a request for its metrics, or to stop. */
export type FollowersTold = { readonly noticesAt: string } | 'metrics' | 'stop';

/** What the thread says: that it began, or why it cannot; that it follows the log, what of it stands still when that changes, and every fault that made it wait and try again. */
export type FollowersSay =
  | { readonly says: 'begun' }
  | { readonly says: 'refused'; readonly message: string }
  | { readonly says: 'standing'; readonly standing: Readonly<Record<string, string>> }
  | { readonly says: 'metrics'; readonly metrics: MetricsAsJson }
  | { readonly says: 'following' }
  | {
      readonly says: 'fault';
      readonly of: string;
      readonly message: string;
      readonly outage: 'begun' | 'known' | undefined;
    }
  | { readonly says: 'committed'; readonly partitions: readonly number[] }
  | { readonly says: 'recovered'; readonly of: string; readonly message: string }
  | { readonly says: 'quarantined'; readonly notice: QuarantineNotice };

// Everything that follows the log, in a thread of its own so that requests do not wait for it: relay → broker →
// projector and fulfilment. It ends when it is asked to, after finishing what is under way.
const main = parentPort;
if (main === null) throw new Error('followers.js is started as a thread by main.js');
const { config, appender, listening } = workerData as FollowersData;
const [randomness, timer] = [systemRandomness, systemTimer];
// By which events are dated: a jump ahead for a moment stays in none of them.
const clock = believedClock({ wallClock: systemClock, steadyClock });
const say = (message: FollowersSay): void => main.postMessage(message);
const report = (fault: Error, of: string): void => {
  const outage = fault instanceof OutageBegun ? 'begun' : fault instanceof KnownOutage ? 'known' : undefined;
  say({ says: 'fault', of, message: fault.message, outage });
};
const recovered = (message: string, of: string): void => say({ says: 'recovered', of, message });

const metrics = new Registry();
const telemetry = await startTelemetry('waybill', config, metrics);
const watchBatch = telemetry.watchBatches();
const readStore = openReadStore(config);
const store = openEventStore(config, { clock, appender, report, recovered });
const broker = openBroker(config, report);
const snapshots = new AggregateSnapshots({
  store: openSnapshots(config),
  timer,
  clock: steadyClock,
  report,
  count: telemetry.countSnapshots(),
});
const quarantined = (notice: QuarantineNotice): void => say({ says: 'quarantined', notice });
const dependencies = {
  quarantined,
  broker,
  store,
  identity: notedIdentity({ store, readStore }),
  headWatch: new HeadWatch({ store, timer, report }),
  deliveryOwners: new DeliveryOwners(store),
  timer,
  randomness,
  clock,
  steadyClock,
  assign: everyPartition,
  report,
  watchBatch,
};

const committed = sayCommits(listening, (partitions) => say({ says: 'committed', partitions }));
const watchCommits: WatchBatch = watchAll([
  watchBatch,
  ({ partition }) =>
    () =>
      committed(partition),
]);
const projector = keepReadModels(projections, { ...dependencies, watchBatch: watchCommits, readStore });
const watchedStore = telemetry.store(store);
const gateway = await openGateway(config, { ...dependencies, watch: telemetry.watchGateway() }).catch(
  (error: unknown) => {
    if (error instanceof WaybillError) say({ says: 'refused', message: error.message });
    throw error;
  },
);
const payments = runPayments({
  ...dependencies,
  store: watchedStore,
  count: telemetry.countPayments(),
  gateway,
  requestReply: openRequestReply(config, report),
});
// A file is read as quickly.
const liveLook =
  config.eventStore.kind === 'eventstoredb' ? new LiveLook({ store, clock: steadyClock, timer }) : undefined;
const believedTime = new BelievedTime({ wallClock: systemClock, steadyClock });
const fulfilment = runFulfilment({
  ...dependencies,
  believedTime,
  store: watchedStore,
  askPayment: payments.ask,
  carriesPayments: config.broker.kind === 'memory',
  positions: readStore,
  snapshots,
  look: liveLook,
});
const relay = startRelay({
  ...dependencies,
  broker: telemetry.publisher(broker),
  checkpoints: readStore,
  // What it carries need not be read for the look.
  seen: (after, page) => liveLook?.take(after, page),
});
say({ says: 'begun' });
void projector.following.then(() => {
  say({ says: 'following' });
});

const stores = { store, readStore, clock };
const live = () => liveProjections(projections, readStore);
const measures = [
  measureRelay(stores),
  measureReadModels(live, stores),
  measureSuspended(stores),
  measureFulfilment({ ...stores, clock: believedTime }),
];
tellFigures(metrics, measures, timer);

const stallDetector = new StallDetector(steadyClock);
const stopping = new AbortController();
let standing: Readonly<Record<string, string>> = {};

/** Now and then, how far all has come. */
async function look(): Promise<void> {
  const progress = [...projector.progress(), ...fulfilment.progress()];
  const ofRelay = await relayProgress(relay, store).catch(() => undefined);
  const found = stallDetector.look(ofRelay === undefined ? progress : [ofRelay, ...progress]);
  if (Object.keys(found).join() !== Object.keys(standing).join()) say({ says: 'standing', standing: found });
  standing = found;
}

async function keepLooking(): Promise<void> {
  while (!stopping.signal.aborted) {
    await look();
    await timer.sleep(2_000, stopping.signal);
  }
}

const looking = keepLooking();

async function stop(): Promise<void> {
  stopping.abort();
  await looking;
  await relay.stop();
  await Promise.all([projector.stop(), fulfilment.stop()]);
  await payments.stop();
  await broker.close();
  await snapshots.close();
  await store.close();
  await readStore.close();
  await telemetry.close();
  main?.close();
}

main.on('message', (told: FollowersTold) => {
  if (told === 'stop') void stop();
  else if (told !== 'metrics') gateway.notifyAt(told.noticesAt);
  else void metrics.getMetricsAsJSON().then((found) => say({ says: 'metrics', metrics: found }));
});
