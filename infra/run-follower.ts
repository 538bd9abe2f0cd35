import type { LeasedMeans } from '@waybill/shared-kernel/leased-assignment.js';
import { followedLog } from '@waybill/shared-kernel/log-identity.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { steadyClock } from './clock/steady.js';
import { usesDataFolder } from './config.js';
import { openBroker, openEventStore, openLeases, openReadStore, type AnyBroker } from './engines.js';
import { createHealth, readinessOf } from './http/health.js';
import { listen } from './http/listen.js';
import { beginPart, type Part } from './part.js';
import { runProcess } from './run-process.js';

/** A part that follows the log: the engines that each of them needs. */
export interface Follower extends Part {
  readonly broker: AnyBroker;
  /** The log, as the read store follows it. */
  readonly store: EventStore;
  /** Holds the read models, and how far each follower has come. */
  readonly readStore: ReadStore;
  /** By which those of one name divide the work among them. */
  readonly leasing: LeasedMeans;
}

/**
 * Runs a part that follows the log as a process of its own, until it is told to stop. It answers `/healthz`, `/readyz`
 * and `/metrics` at `WAYBILL_HEALTH_PORT`, if that is set.
 */
export function runFollower(name: string, follow: (follower: Follower) => { stop(): Promise<void> }): Promise<void> {
  return runProcess(async () => {
    const part = await beginPart(name, usesDataFolder);
    const { config, clock, randomness, timer, report } = part;

    const broker = openBroker(config, report);
    const readStore = openReadStore(config);
    const store = followedLog(openEventStore(config, { clock, report }), readStore);
    const leases = openLeases(config);
    const leasing = { leases, timer, randomness, clock: steadyClock, report };
    const following = follow({ ...part, broker, store, readStore, leasing });
    const health = await listenForHealth(part, {
      'event store': () => store.head(),
      'read store': () => readStore.relayCheckpoint(),
    });
    return {
      greeting: `Waybill's ${name} is running.\n`,
      stop: async () => {
        await following.stop();
        await broker.close();
        await Promise.all([store.close(), readStore.close(), leases.close(), health?.close()]);
        part.release();
      },
    };
  });
}

async function listenForHealth(
  { config, metrics }: Part,
  questions: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<{ close(): Promise<void> } | undefined> {
  const { host, healthPort: port } = config;
  if (port === undefined) return undefined;
  const ready = () => readinessOf(questions);
  return listen(createHealth({ ready, metrics }), { host, port, portVariable: 'WAYBILL_HEALTH_PORT' });
}
