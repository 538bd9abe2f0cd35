import { setPriority } from 'node:os';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { runFulfilment } from '@waybill/command-side/fulfilment/run-fulfilment.js';
import { startRelay } from '@waybill/command-side/relay/relay.js';
import { openMemoryBroker } from '@waybill/infra/broker/memory/broker.js';
import { systemClock, systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/config.js';
import { openSqliteEventStore } from '@waybill/infra/event-store/sqlite/sqlite-event-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { projections } from '@waybill/projections/catalogue.js';
import { startProjector } from '@waybill/projections/projector.js';
import { everyPartition } from '@waybill/shared-kernel/assignment.js';

/** What the thread is given. */
export interface FollowersData {
  readonly dataFolder: string;
  /** The way to the thread that writes the log. */
  readonly appender: MessagePort;
}

/** What the thread says: that it follows the log, and every fault that made it wait and try again. */
export type FollowersSay =
  { readonly says: 'following' } | { readonly says: 'fault'; readonly of: string; readonly message: string };

// Everything that follows the log, in a thread of its own so that requests do not wait for it: relay → broker →
// projector and fulfilment. It ends when it is told to, whatever is under way finished first.
const main = parentPort;
if (main === null) throw new Error('followers.js is started as a thread by main.js');
// 0 is the calling thread: requests come first, and what they leave of the processors is enough to follow them.
setPriority(0, 19);
const { dataFolder, appender } = workerData as FollowersData;
const files = dataFiles(dataFolder);
const [clock, randomness, timer] = [systemClock, systemRandomness, systemTimer];
const say = (message: FollowersSay): void => main.postMessage(message);
const faultOf =
  (of: string) =>
  ({ message }: Error): void =>
    say({ says: 'fault', of, message });

const store = openSqliteEventStore(files.log, { clock, appender });
const readStore = openSqliteReadStore(files.readModels);
for (const { collection } of projections) await readStore.declare(collection);
const broker = openMemoryBroker();
const means = { broker, store, checkpoints: readStore, timer, randomness, clock, assign: everyPartition };

const projector = startProjector(projections, {
  ...means,
  readStore,
  report: (fault, queue, partition) => faultOf(partition === undefined ? queue : `${queue}/${partition}`)(fault),
});
const fulfilment = runFulfilment({
  ...means,
  positions: readStore,
  report: (fault, { consumer, partition }) => faultOf(`${consumer}/${partition}`)(fault),
});
const relay = startRelay({ ...means, report: faultOf('relay') });
void projector.following.then(() => {
  say({ says: 'following' });
});

main.once('message', () => {
  void (async () => {
    await relay.stop();
    await Promise.all([projector.stop(), fulfilment.stop()]);
    await broker.close();
    await store.close();
    await readStore.close();
    main.close();
  })();
});
