import { DeliveryOwners } from '@waybill/shared-kernel/partitions/delivery-owners.js';
import type { LeasedDependencies } from '@waybill/shared-kernel/partitions/leased-assignment.js';
import { notedIdentity, type LogIdentity } from '@waybill/shared-kernel/subscriptions/log-identity.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { StallDetector, type Progress } from '@waybill/shared-kernel/subscriptions/stall-detector.js';
import { HeadWatch } from '@waybill/shared-kernel/subscriptions/watch-head.js';
import { steadyClock } from '../clock/steady.js';
import { usesDataFolder } from './config.js';
import { openBroker, openEventStore, openLeases, openReadStore, type AnyBroker } from './engines.js';
import { createHealth, readinessOf } from '../http/health.js';
import { listen, type Listening } from '../http/server/listen.js';
import type { Readiness } from '../http/pages/public-pages.js';
import { beginPart, type Part } from './part.js';
import { runProcess } from './run-process.js';
import { sayWhatIsMissing } from './say-what-is-missing.js';

/** A part that follows the log: the engines that each of them needs. */
export interface FollowerProcess extends Part {
  readonly broker: AnyBroker;
  /** The log, as the read store follows it. */
  readonly store: EventStore;
  /** Holds the read models, and how far each follower has come. */
  readonly readStore: ReadStore;
  /** Recognises messages of that log. */
  readonly identity: LogIdentity;
  /** Looks at the head of that log for all of its consumers. */
  readonly headWatch: HeadWatch;
  /** Finds whose deliveries were whose streams are gone, for all of its consumers. */
  readonly deliveryOwners: DeliveryOwners;
  /** By which those of one name divide the work among them. */
  readonly leasing: LeasedDependencies;
}

/** What follows the log, until it is stopped. */
export interface Following {
  /** How far each part of it has come; empty while it stands by. */
  progress(): Promise<readonly Progress[]>;
  stop(): Promise<void>;
}

/**
 * Runs a part that follows the log as a process of its own, until it is told to stop. It answers `/healthz`, `/readyz`
 * and `/metrics` at `WAYBILL_HEALTH_PORT`, if that is set. `needsDataFolder`: whether it keeps something there.
 */
export function runFollower(
  name: string,
  follow: (follower: FollowerProcess) => Following | Promise<Following>,
  needsDataFolder = usesDataFolder,
): Promise<void> {
  return runProcess(async () => {
    const part = await beginPart(name, needsDataFolder);
    const { config, clock, randomness, timer, report } = part;

    const broker = openBroker(config, report);
    const readStore = openReadStore(config);
    const store = openEventStore(config, { clock, report, recovered: part.recovered });
    const leases = openLeases(config);
    const leasing = { leases, timer, randomness, clock: steadyClock, report };
    const headWatch = new HeadWatch({ store, timer, report });
    const deliveryOwners = new DeliveryOwners(store);
    const identity = notedIdentity({ store, readStore });
    const following = await follow({ ...part, broker, store, readStore, identity, headWatch, deliveryOwners, leasing });
    const stallDetector = new StallDetector(steadyClock);
    const ready = () =>
      readinessOf({
        'event store': () => store.head(),
        broker: async () => broker.assertConnected?.(),
        'read store': () => readStore.madeFrom(),
        [name]: async () => assertMoving(stallDetector.look(await following.progress())),
      });
    const health = await listenForHealth(part, ready);
    const saying = sayWhatIsMissing(ready, part);
    return {
      greeting: `Waybill's ${name} is running.${health === undefined ? '' : `  Is it well? ${health.url}/readyz`}\n`,
      stop: async () => {
        saying.stop();
        await following.stop();
        await broker.close();
        await Promise.all([store.close(), readStore.close(), leases.close(), health?.close()]);
        await part.telemetry.close();
        part.release();
      },
    };
  });
}

/** Throws, with a sentence for each, when something stands still. */
function assertMoving(standing: Readonly<Record<string, string>>): void {
  const sentences = Object.entries(standing).map(([of, sentence]) => `${of}: ${sentence}`);
  if (sentences.length > 0) throw new Error(sentences.join(' '));
}

async function listenForHealth(
  { config, metrics }: Part,
  ready: () => Promise<Readiness>,
): Promise<Listening | undefined> {
  const { host, healthPort: port } = config;
  if (port === undefined) return undefined;
  return listen(createHealth({ ready, metrics }), { host, port, portVariable: 'WAYBILL_HEALTH_PORT' });
}
