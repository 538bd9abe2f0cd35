import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { dataFiles, eventStoreSchemes, shown, type Config } from '@waybill/infra/process/config.js';
import { masterKeySource } from '@waybill/infra/process/engines.js';
import { lockDataFolder } from '@waybill/infra/process/data-folder.js';
import {
  openEventStoreDb,
  type EventStoreDbEventStore,
} from '@waybill/infra/event-store/eventstoredb/eventstoredb-event-store.js';
import { openMongoDbKeyStore } from '@waybill/infra/keys/mongodb/key-store.js';
import { wrappedKeysIn } from '@waybill/infra/keys/sqlite/key-store.js';
import { BadConfiguration, BadDataFile, Unavailable } from '@waybill/shared-kernel/errors.js';
import type { LogPages, LogHead, BackwardsLogReader } from '@waybill/shared-kernel/ports/event-store.js';
import type { EventName, LogDifference } from './migrate/compare-logs.js';
import { migrateLog, type Migrated } from './migrate/migrate-log.js';
import { print, printJson, withProgress, type Context } from './context.js';
import { withLog } from './stores/engines.js';
import { exitCodes, type ExitCode } from './exit-code.js';
import { faultsOfFile, formatFaults } from './stores/log-faults.js';
import { counted } from './text/table.js';
import { lastEvent } from '@waybill/shared-kernel/read-stream.js';

/** Nobody waits for one append: a server that is busy or restarts is given time. */
const answerTimeoutMs = 20_000;

/** `--json`. */
interface MigrationReport {
  readonly ok: boolean;
  /** Events that are equal in both logs. */
  readonly events: number;
  /** Of those, copied by this run. */
  readonly copied: number;
  readonly appends: number;
  readonly seconds: number;
  readonly digests: { readonly source: string; readonly target: string };
  readonly difference: LogDifference | null;
  /** Keys that were given to the read store's MongoDB; null: they stay in the data folder. */
  readonly keys: number | null;
  /** Seconds by which the server's clock is behind the last event's time. */
  readonly clockBehindSeconds: number;
}

export function addMigrate(program: Command, context: Context, end: (exitCode: ExitCode) => void): void {
  program
    .command('migrate')
    .summary('copy the embedded log into EventStoreDB')
    .requiredOption('--to <address>', 'esdb://… or kurrentdb://…, with user and password or ?tls=false')
    .option('--json', 'one JSON document for programs')
    .description(
      `Copies the log of the data folder into EventStoreDB, event by event in the order of the log: same streams, ids,
revisions, times and data. Then reads both back in full and compares every event. No server may use the data folder
meanwhile. It may be stopped at any point and run again: it sees from the target where it was, and doubles nothing. A
target that holds other events of Waybill than the first ones of this log is left as it is.

Where WAYBILL_READ_STORE is mongodb://…, the customers' keys are copied there: with both servers they are looked for
there. The data folder is only read.`,
    )
    .addHelpText(
      'after',
      `
Exit code 1: the logs differ, and the first difference is named; or the target does not take an append. 3: something of
the log cannot be read, or is gone, and is named; nothing was copied.

Example:
  $ WAYBILL_READ_STORE=mongodb://localhost npx waybill migrate --to 'esdb://localhost:2113?tls=false'`,
    )
    .action(async ({ to, json }: { readonly to: string; readonly json?: true }) => {
      if (!eventStoreSchemes.some((scheme) => to.startsWith(`${scheme}://`))) {
        throw new BadConfiguration(
          `--to is "${shown(to)}"; it takes the address of an EventStoreDB: ${eventStoreSchemes.map((scheme) => `${scheme}://…`).join(', ')}.`,
        );
      }
      const config = context.config();
      const report = await migrate(to, config, context);
      if (json) await printJson(context, report);
      else await print(context, formatMigration(report, to, config));
      if (!report.ok) end(exitCodes.failed);
    });
}

async function migrate(to: string, config: Config, context: Context): Promise<MigrationReport> {
  const { dataFolder } = config;
  const target = openEventStoreDb(to, { answerTimeoutMs });
  try {
    return await withLog({ ...config, eventStore: { kind: 'sqlite' } }, context.clock, (source) =>
      withoutServers(dataFolder, () => copy(source, target, config, context)),
    );
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    throw new Unavailable(error.what, `${error.message} Run the same again: it goes on where it was.`, {
      cause: error,
    });
  } finally {
    await target.close();
  }
}

async function withoutServers<T>(dataFolder: string, work: () => Promise<T>): Promise<T> {
  const lock = lockDataFolder(dataFolder);
  if (lock === undefined) {
    throw new BadDataFile(
      `A server uses ${dataFolder}, and what it still appends would be missing from the copy. Stop it first.`,
    );
  }
  try {
    return await work();
  } finally {
    lock.release();
  }
}

async function copy(
  source: LogPages & LogHead & BackwardsLogReader,
  target: EventStoreDbEventStore,
  config: Config,
  context: Context,
): Promise<MigrationReport> {
  await requireWhole(config, context);
  const migrated = await migrateLog({
    source,
    target,
    clock: context.steadyClock,
    show: (what, work) =>
      withProgress(context, what, (progress) => work((done, total) => progress.advance(done, total))),
  });
  const { comparison } = migrated;
  const ok = comparison.difference === null;
  return {
    ok,
    events: comparison.equal,
    copied: migrated.copied,
    appends: migrated.appends,
    seconds: migrated.took / 1000,
    digests: comparison.digests,
    difference: comparison.difference,
    keys: ok ? await copyKeys(config, context) : null,
    clockBehindSeconds: await clockBehind(source, target, migrated),
  };
}

/** What cannot be read, or is gone, would be missing from the copy. Throws `BadDataFile`, which names it. */
async function requireWhole({ dataFolder }: Config, context: Context): Promise<void> {
  const faults = await withProgress(context, 'Looking through the log', (progress) =>
    faultsOfFile(dataFiles(dataFolder).log, context.clock, (position, head) => progress.advance(position, head)),
  );
  if (faults.length === 0) return;
  throw new BadDataFile(
    `Not all of the log in ${dataFolder} can be read, and a copy would lack the rest. Nothing was copied.\n${formatFaults(faults)}Restore it from a backup, then run this again.`,
  );
}

/** With both servers, MongoDB is where keys are looked for. */
async function copyKeys(config: Config, context: Context): Promise<number | null> {
  const { readStore, dataFolder } = config;
  if (readStore.kind !== 'mongodb') return null;
  const files = dataFiles(dataFolder);
  if (!existsSync(files.keys)) return 0;
  const wrapped = wrappedKeysIn(files.keys);
  const keys = openMongoDbKeyStore({ url: readStore.url, ...masterKeySource(config, systemRandomness) });
  try {
    await withProgress(context, 'Copying keys', () => keys.adopt(wrapped));
    return wrapped.length;
  } finally {
    await keys.close();
  }
}

/** What the server takes next must not bear an earlier time than what it was given. */
async function clockBehind(
  source: BackwardsLogReader,
  target: EventStoreDbEventStore,
  { copied }: Migrated,
): Promise<number> {
  const [last, takenAt] = await Promise.all([lastEvent(source), target.lastTakenAt()]);
  if (copied === 0 || last === undefined || takenAt === undefined) return 0;
  return Math.max(0, Date.parse(last.recordedAt) - Date.parse(takenAt)) / 1000;
}

function formatMigration(report: MigrationReport, to: string, config: Config): string {
  const { ok, events, copied, appends, seconds, digests, difference } = report;
  const rate = counted(Math.round(copied / Math.max(seconds, 0.001)), 'event');
  const summary =
    copied === 0
      ? 'Nothing was copied.'
      : `Copied ${counted(copied, 'event')} in ${counted(appends, 'append')} (${rate} a second).`;
  const compared = `${ok ? 'Equal' : 'Equal so far'}: ${counted(events, 'event')}, each read back from both and compared in full.
  ${config.dataFolder}  sha256 ${digests.source}
  ${shown(to)}  sha256 ${digests.target}\n`;
  if (difference !== null) return `${summary}\n${compared}${formatDifference(difference)}`;
  return `${summary}\n${compared}${formatClock(report)}${nextSteps(report, to, config)}`;
}

function formatDifference({ number, source, target, fields }: LogDifference): string {
  const where = fields.length === 0 ? '' : `  they differ in    ${fields.join(', ')}\n`;
  return `The first difference is event ${number} of the log:
  the data folder   ${formatEvent(source)}
  the target        ${formatEvent(target)}
${where}The target holds what is not of this log, and was left as it is. Give one that is empty, or held its first events only.
`;
}

function formatEvent(name: EventName | null): string {
  if (name === null) return 'has none, its log ends before';
  return `${name.type} ${name.id}, revision ${name.revision} of ${name.stream}`;
}

function formatClock({ clockBehindSeconds }: MigrationReport): string {
  if (clockBehindSeconds === 0) return '';
  return `The server's clock is ${counted(clockBehindSeconds, 'second')} behind the time of the last event: set it right, or wait so long, before anything is appended there.\n`;
}

/** What is left to do, in order. */
function nextSteps({ keys }: MigrationReport, to: string, { readStore, broker }: Config): string {
  const readModels =
    readStore.kind === 'mongodb'
      ? 'name a new database in WAYBILL_READ_STORE'
      : 'delete read-models.sqlite in the data folder, or name a new database in WAYBILL_READ_STORE';
  const steps = [
    `Set WAYBILL_EVENT_STORE=${shown(to)} for all processes; nothing may append to the old log any more.`,
    `Begin with empty read models: ${readModels}.
     Positions in this log are others, so read models of the old one are refused. The first start makes them from the log.`,
    keys === null
      ? `The customers' keys stay in keys.sqlite. If the read models are to be in MongoDB, set WAYBILL_READ_STORE and run
     this again before any process starts: the keys must be there too.`
      : `${counted(keys, 'key')} went to MongoDB, wrapped as they were. Give all processes the same master key:
     WAYBILL_MASTER_KEY is the text of master.key.`,
    ...(broker.kind === 'rabbitmq'
      ? [
          "Delete the queues waybill.* in RabbitMQ: what waits there has the old log's positions. They are declared again.",
        ]
      : []),
    'Keep log.sqlite and its backups until you are content.',
  ];
  return `\nNext:\n${steps.map((step, index) => `  ${index + 1}. ${step}\n`).join('')}`;
}
