import type { MessagePort } from 'node:worker_threads';
import { believedClock } from '@waybill/shared-kernel/believed-clock.js';
import type { Broker } from '@waybill/shared-kernel/ports/broker.js';
import type { Randomness, WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { EventStore } from '@waybill/shared-kernel/ports/event-store.js';
import type { LeaseStore } from '@waybill/shared-kernel/ports/lease.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import type { RequestReply } from '@waybill/shared-kernel/ports/request-reply.js';
import type { SnapshotStore } from '@waybill/shared-kernel/ports/snapshots.js';
import { openMemoryBroker } from '../broker/memory/broker.js';
import { openMemoryRequestReply } from '../broker/memory/request-reply.js';
import { openRabbitMqBroker, type RabbitMqBroker } from '../broker/rabbitmq/broker.js';
import { noticeFault } from '../broker/rabbitmq/notice.js';
import { openRabbitMqRequestReply } from '../broker/rabbitmq/request-reply/request-reply.js';
import { steadyClock } from '../clock/steady.js';
import { dataFiles, type Config } from './config.js';
import { openEventStoreDb } from '../event-store/eventstoredb/eventstoredb-event-store.js';
import { openSqliteEventStore } from '../event-store/sqlite/sqlite-event-store.js';
import type { MasterKeySource } from '../keys/fitting-master-key.js';
import type { RotatableKeyStore } from '../keys/rotatable.js';
import { openMongoDbKeyStore } from '../keys/mongodb/key-store.js';
import { openSqliteKeyStore } from '../keys/sqlite/key-store.js';
import { openMongoDbLeaseStore } from '../lease/mongodb/lease-store.js';
import { openSqliteLeaseStore } from '../lease/sqlite/lease-store.js';
import { openMongoDbReadStore } from '../read-store/mongodb/read-store.js';
import { openSqliteReadStore } from '../read-store/sqlite/read-store.js';
import { openMongoDbSnapshotStore } from '../snapshots/mongodb/snapshot-store.js';
import { openSqliteSnapshotStore } from '../snapshots/sqlite/snapshot-store.js';

// Which adapter is behind a port, by the configuration. Servers are connected to when they are first used, and again
// whenever they were gone: that one is down stops nobody from starting.

/** Called with a fault that was met and is tried again; `of`: where. */
export type ReportFault = (fault: Error, of: string) => void;

export interface EventStoreDependencies {
  readonly clock: WallClock;
  /** A port of the thread that writes the log, where there is one. */
  readonly appender?: MessagePort | undefined;
  readonly report?: ReportFault;
  /** Called when what was reported is over, in a sentence; `of`: where. */
  readonly recovered?: (text: string, of: string) => void;
}

export function openEventStore({ eventStore, dataFolder }: Config, dependencies: EventStoreDependencies): EventStore {
  const { clock: wallClock, appender, report, recovered } = dependencies;
  if (eventStore.kind === 'sqlite') {
    // The log's time never goes back: a jump ahead for a moment would stay in it.
    const clock = believedClock({ wallClock, steadyClock });
    return openSqliteEventStore(dataFiles(dataFolder).log, { clock, ...(appender === undefined ? {} : { appender }) });
  }
  return openEventStoreDb(eventStore.url, {
    report: (fault) => report?.(fault, 'event store'),
    recovered: (text) => recovered?.(text, 'event store'),
  });
}

/** A broker that, where it is a server, says more of itself than the port asks. */
export type AnyBroker = Broker & Partial<Pick<RabbitMqBroker, 'deadLetters' | 'assertConnected'>>;

export function openBroker({ broker }: Config, report?: ReportFault): AnyBroker {
  if (broker.kind === 'memory') return openMemoryBroker();
  return openRabbitMqBroker({
    url: broker.url,
    notify: (notice) => {
      const fault = noticeFault(notice);
      if (fault !== undefined) report?.(fault, 'broker');
    },
  });
}

/** Request and reply by the same broker as the events. */
export function openRequestReply({ broker }: Config, report?: ReportFault): RequestReply {
  if (broker.kind === 'memory') return openMemoryRequestReply();
  return openRabbitMqRequestReply({
    url: broker.url,
    notify: (notice) => {
      const fault = noticeFault(notice);
      if (fault !== undefined) report?.(fault, 'requests');
    },
  });
}

export function openReadStore({ readStore, dataFolder }: Config): ReadStore {
  return readStore.kind === 'sqlite'
    ? openSqliteReadStore(dataFiles(dataFolder).readModels)
    : openMongoDbReadStore({ url: readStore.url });
}

/** Where the master key is from, and the one before it. */
export function masterKeySource(config: Config, randomness: Randomness): MasterKeySource {
  return {
    masterKeyFile: dataFiles(config.dataFolder).masterKey,
    masterKeyText: config.masterKey,
    previousMasterKeyText: config.previousMasterKey,
    randomness,
  };
}

/**
 * The customers' keys, beside the log: whoever can append needs them too, and a log in the data folder must not wait
 * for a server.
 */
export function openKeys(config: Config, randomness: Randomness): RotatableKeyStore {
  const { eventStore, readStore, dataFolder } = config;
  const files = dataFiles(dataFolder);
  const source = masterKeySource(config, randomness);
  return eventStore.kind === 'eventstoredb' && readStore.kind === 'mongodb'
    ? openMongoDbKeyStore({ url: readStore.url, ...source })
    : openSqliteKeyStore({ file: files.keys, ...source });
}

/** By which processes divide the work, beside the read models. */
export function openLeases({ readStore, dataFolder }: Config): LeaseStore {
  return readStore.kind === 'sqlite'
    ? openSqliteLeaseStore(dataFiles(dataFolder).leases)
    : openMongoDbLeaseStore({ url: readStore.url });
}

/** Snapshots of aggregates, beside the read models: as they, nothing but what the log says, in a quicker form. */
export function openSnapshots({ readStore, dataFolder }: Config): SnapshotStore {
  return readStore.kind === 'sqlite'
    ? openSqliteSnapshotStore(dataFiles(dataFolder).snapshots)
    : openMongoDbSnapshotStore({ url: readStore.url });
}
