import type { Command } from 'commander';
import { projections } from '../catalogue.js';
import { print, printJson, withProgress, type Context } from './context.js';
import { isServed, withLog, withReadModels } from './data-folder.js';
import { measureLag, type Lag, type Lags, type ProjectionLag } from './measure-lag.js';
import { counted, table } from './table.js';
import { toldRebuild, versionStatus, type VersionStatus } from './version-status.js';

/** `--json`. */
interface Status extends Lags {
  readonly projections: readonly (ProjectionLag & VersionStatus)[];
  /** Orders whose event a projector could not apply: this version has none that it would pass over. */
  readonly quarantine: number;
  readonly server: { readonly running: boolean };
}

export function addStatus(program: Command, context: Context): void {
  program
    .command('status')
    .summary('how far everything has come')
    .option('--json', 'one JSON document for programs: {log, relay, projections, quarantine}')
    .description('Shows how far relay and read models are behind the log, in events and seconds.')
    .addHelpText(
      'after',
      `
Example:
  $ npx waybill status`,
    )
    .action(async ({ json }: { readonly json?: true }) => {
      const status = await look(context);
      if (json) await printJson(context, status);
      else await print(context, told(status));
    });
}

async function look(context: Context): Promise<Status> {
  const { clock, config } = context;
  const { dataFolder } = config();
  const lags = await withLog(dataFolder, clock, (store) =>
    withReadModels(dataFolder, async (readStore, live) => {
      const measured = await withProgress(context, 'Reading what is not projected', (progress) =>
        measureLag(live, { store, readStore, clock }, (position, head) => progress.advance(position, head)),
      );
      const models = measured.projections.map(async (lag, index) => ({
        ...lag,
        ...(await versionStatus(projections[index]!, readStore)),
      }));
      return { ...measured, projections: await Promise.all(models) };
    }),
  );
  return { ...lags, quarantine: 0, server: { running: isServed(dataFolder) } };
}

function told({ log, relay, projections: models, quarantine, server }: Status): string {
  const rows = models.flatMap(({ name, version, position, rebuild, ...lag }) => {
    const row = [name, `version ${version}`, position, behind(lag)];
    return rebuild === null ? [row] : [row, ['', '', '', toldRebuild(rebuild)]];
  });
  const facts = table([
    ['server', '', '', server.running ? 'running' : 'not running'],
    ['log', '', log.position, ''],
    ['relay', '', relay.position, server.running ? behind(relay) : 'works while the server runs'],
    ...rows,
  ]);
  return `${facts}  ${quarantine === 0 ? 'nothing' : counted(quarantine, 'order')} in quarantine\n`;
}

function behind({ lagEvents, lagSeconds }: Omit<Lag, 'position'>): string {
  if (lagEvents === 0) return 'up to date';
  return `${counted(lagEvents, 'event')} behind, the oldest ${counted(Math.round(lagSeconds), 'second')} old`;
}
