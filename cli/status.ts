import type { Command } from 'commander';
import type { Config } from '@waybill/infra/process/config.js';
import { LogMismatch, Unavailable } from '@waybill/shared-kernel/errors.js';
import { suspendedOrders } from '@waybill/command-side/fulfilment/suspension/suspended-orders.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { countQuarantine } from '@waybill/projections/quarantine/entries.js';
import { liveProjections } from '@waybill/projections/rebuild/change-versions.js';
import { brokerStatus, type BrokerStatus } from './status/broker-queues.js';
import { print, printJson, say, withProgress, type Context } from './context.js';
import { isAlone } from './stores/data-folder.js';
import { withEngines } from './stores/engines.js';
import { exitCodes, type ExitCode } from './exit-code.js';
import { fulfilmentStatus, formatFulfilment, type FulfilmentStatus } from './status/fulfilment-status.js';
import {
  measureLag,
  type Lag,
  type Lags,
  type ProjectionLag,
} from '@waybill/shared-kernel/subscriptions/measure-lag.js';
import { counted, table } from './text/table.js';
import { formatRebuild, versionStatus, type VersionStatus } from './status/version-status.js';

/** `--json`. */
interface Status extends Lags, BrokerStatus {
  /** `quarantined`: its documents that stand still before an event that could not be applied. */
  readonly projections: readonly (ProjectionLag & VersionStatus & { readonly quarantined: number })[];
  /** Suspended orders. */
  readonly suspended: number;
  readonly fulfilment: FulfilmentStatus;
  /** Of all read models and the process manager. */
  readonly quarantine: number;
  /** What does not answer, so that what it would tell is null. */
  readonly down: readonly string[];
  readonly server: { readonly running: boolean };
}

export function addStatus(program: Command, context: Context, end: (exitCode: ExitCode) => void): void {
  program
    .command('status')
    .summary('how far everything has come')
    .option(
      '--json',
      'one JSON document for programs: {log, relay, projections, fulfilment, quarantine, queues, deadLetters, down}',
    )
    .description(
      `Shows how far relay and read models are behind the log, in events and seconds, what orders under way are at and
how many are overdue, and what waits in the broker's queues, with the dead letters and in quarantine.`,
    )
    .addHelpText(
      'after',
      `
Exit code 3: a server does not answer, and is named; without the broker all else is shown. Or what is derived was made
from another log than this one.

Example:
  $ npx waybill status`,
    )
    .action(async ({ json }: { readonly json?: true }) => {
      const status = await look(context);
      if (json) await printJson(context, status);
      else await print(context, formatStatus(status));
      if (status.down.length > 0 || isMisfit(status)) end(exitCodes.down);
    });
}

async function look(context: Context): Promise<Status> {
  const { clock } = context;
  const config = context.config();
  const measured = await withEngines(config, clock, async (store, readStore) => {
    const live = await liveProjections(projections, readStore);
    const lags = await withProgress(context, 'Reading what is not projected', (progress) =>
      measureLag(live, { store, readStore, clock }, (position, head) => progress.advance(position, head)),
    );
    const models = lags.projections.map(async (lag, index) => ({
      ...lag,
      ...(await versionStatus(projections[index]!, readStore)),
      quarantined: await countQuarantine(live[index]!, readStore),
    }));
    await readStore.declare(suspendedOrders);
    const suspended = await countQuarantine({ collection: suspendedOrders }, readStore);
    const fulfilment = await fulfilmentStatus(readStore, clock);
    return { ...lags, suspended, fulfilment, projections: await Promise.all(models) };
  });
  return {
    ...measured,
    quarantine: measured.projections.reduce((sum, { quarantined }) => sum + quarantined, measured.suspended),
    ...(await lookAtBroker(config, measured.projections, context)),
    server: { running: !isAlone(config) },
  };
}

/** Where it does not answer, what else there is to say is said all the same. */
async function lookAtBroker(
  config: Config,
  live: readonly ProjectionLag[],
  context: Context,
): Promise<BrokerStatus & Pick<Status, 'down'>> {
  try {
    return { ...(await brokerStatus(config, live)), down: [] };
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    say(context, error.message);
    return { queues: null, deadLetters: null, down: [error.what] };
  }
}

function formatStatus(status: Status): string {
  const { log, relay, projections: models, suspended, fulfilment, quarantine, queues, deadLetters, server } = status;
  const rows = models.flatMap(({ name, version, position, rebuild, quarantined, ...lag }) => {
    const waiting = quarantined === 0 ? [] : [['', '', '', `${counted(quarantined, 'document')} in quarantine`]];
    const rebuilt = rebuild === null ? [] : [['', '', '', formatRebuild(rebuild)]];
    return [[name, `version ${version}`, position, behind(lag)], ...rebuilt, ...waiting];
  });
  const facts = table([
    ['server', '', '', server.running ? 'running' : 'not running'],
    ['log', '', log.position, ''],
    ['relay', '', relay.position, server.running ? behind(relay) : 'works while the server runs'],
    ...rows,
    ...formatFulfilment(fulfilment),
    ...(suspended === 0 ? [] : [['fulfilment', '', '', `${counted(suspended, 'order')} suspended`]]),
  ]);
  const waiting = (queues ?? []).map(({ consumer, queues: count, messages, read }) => [
    consumer,
    counted(count, 'queue'),
    counted(messages, 'message'),
    read === count ? 'waiting' : `waiting; nobody reads ${counted(count - read, 'queue')}`,
  ]);
  const letters =
    deadLetters === null ? '' : `  ${counted(deadLetters, 'message')} in the dead-letter queue of the broker\n`;
  const mends = isMisfit(status) ? `  ${LogMismatch.remedy}\n` : '';
  return `${facts}${table(waiting)}  ${quarantine === 0 ? 'nothing' : counted(quarantine, 'document')} in quarantine\n${letters}${mends}`;
}

function isMisfit({ relay, projections: models }: Lags): boolean {
  return [relay, ...models].some(({ mismatch }) => mismatch !== undefined);
}

function behind({ lagEvents, lagSeconds, mismatch }: Omit<Lag, 'position'>): string {
  if (mismatch !== undefined) return `made from another log, or from a later state of this one: ${mismatch}`;
  if (lagEvents === 0) return 'up to date';
  return `${counted(lagEvents, 'event')} behind, the oldest ${counted(Math.round(lagSeconds), 'second')} old`;
}
