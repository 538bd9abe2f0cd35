import type { Command } from 'commander';
import type { Appender, LogHead } from '@waybill/shared-kernel/ports/event-store.js';
import { anomaliesOf, type Anomaly } from './import/anomalies.js';
import { importHistory } from './import/import-history.js';
import { readOlistFolder, type OlistFolder, type SkippedRows } from './import/olist-folder.js';
import { historyOf } from './import/olist-history.js';
import { print, printJson, withProgress, type Context } from './context.js';
import { isAlone } from './stores/data-folder.js';
import { withNewLog } from './stores/engines.js';
import { exitCodes, type ExitCode } from './exit-code.js';
import { projectLog } from './stores/project-log.js';
import { counted, table } from './text/table.js';

/** `--json`. */
interface ImportReport {
  /** Orders of the folder. */
  readonly orders: number;
  /** Events that they make. */
  readonly events: number;
  /** Events that were new in this run. */
  readonly added: number;
  readonly anomalies: readonly Anomaly[];
  readonly skipped: SkippedRows;
}

export function addImport(program: Command, context: Context, end: (exitCode: ExitCode) => void): void {
  program
    .command('import')
    .summary('import history into the log')
    .description('Imports history into the log.')
    .command('olist')
    .summary('orders of the Olist dataset')
    .argument(
      '<folder>',
      'holds olist_orders_dataset.csv, olist_order_items_dataset.csv, olist_order_payments_dataset.csv',
    )
    .description(
      `Imports real orders with the times at which they happened. The whole folder is checked before anything is
written. You may stop it at any point and run it again: what was imported before stays as it is.`,
    )
    .option('--json', 'one JSON document for programs')
    .addHelpText(
      'after',
      `
Exit code 1: the log has an order of the same id with another history; it was left as it is, and is listed.

Example:
  $ npx waybill import olist ../shared/data/olist`,
    )
    .action(async (folder: string, { json }: { readonly json?: true }) => {
      const began = context.steadyClock.now();
      const { report, refused, served } = await importOlist(folder, context);
      if (json) await printJson(context, report);
      else await print(context, formatImport(report, folder, served, context.steadyClock.now() - began));
      if (refused > 0) end(exitCodes.failed);
    });
}

async function importOlist(folder: string, context: Context) {
  const { orders, skipped } = await readOlistFolder(folder);
  const config = context.config();
  return withNewLog(config, context.clock, async (store) => {
    const { events, added, refused } = await append(orders, store, context);
    const served = !isAlone(config);
    if (!served) await projectLog(config, store, context);
    const anomalies = [
      ...orders.flatMap(anomaliesOf),
      ...refused.map((refusal): Anomaly => ({ ...refusal, kind: 'other-history-in-the-log' })),
    ];
    const report: ImportReport = { orders: orders.length, events, added, anomalies, skipped };
    return { report, refused: refused.length, served };
  });
}

async function append(orders: OlistFolder['orders'], store: Appender & LogHead, context: Context) {
  const histories = orders.map(historyOf);
  const events = histories.reduce(
    (sum, { steps }) => steps.reduce((inner, step) => inner + step.events.length, sum),
    0,
  );
  const imported = await withProgress(context, 'Importing', (progress) =>
    importHistory(store, histories, (done) => progress.advance(done, events)),
  );
  return { events, ...imported };
}

const examples = 3;

function formatImport(
  { orders, events, added, anomalies, skipped }: ImportReport,
  folder: string,
  served: boolean,
  took: number,
) {
  const rate = Math.round(added / Math.max(took / 1000, 0.001));
  const ofThem = added === events ? 'all new' : `${counted(added, 'event')} of them new`;
  const summary =
    added === 0
      ? `Nothing new: the log already has what is in ${folder} (${counted(orders, 'order')}, ${counted(events, 'event')}).`
      : `Imported ${counted(orders, 'order')} of ${folder}: ${counted(events, 'event')}, ${ofThem} (${counted(rate, 'event')} a second).`;
  const answers = served ? 'The running server projects them now.\n' : 'The read models have them.\n';
  return `${summary}\n${added === 0 ? '' : answers}${formatAnomalies(anomalies)}${formatSkipped(skipped)}`;
}

function formatAnomalies(anomalies: readonly Anomaly[]): string {
  const refused = anomalies.filter(({ kind }) => kind === 'other-history-in-the-log');
  const odd = anomalies.filter(({ kind }) => kind !== 'other-history-in-the-log');
  return (
    formatKinds(refused, `${counted(refused.length, 'order')} left as they are in the log`) +
    formatKinds(odd, `${counted(odd.length, 'anomaly', 'anomalies')}, imported as they happened`)
  );
}

function formatKinds(anomalies: readonly Anomaly[], heading: string): string {
  if (anomalies.length === 0) return '';
  const kinds = [...new Set(anomalies.map(({ kind }) => kind))].map((kind) => {
    const ofKind = anomalies.filter((anomaly) => anomaly.kind === kind);
    const shown = ofKind.slice(0, examples).map(({ orderId, detail }) => [orderId, detail]);
    const rest = ofKind.length > examples ? `      and ${ofKind.length - examples} more\n` : '';
    return `  ${kind}: ${ofKind.length}\n${table(shown, '      ')}${rest}`;
  });
  return `\n${heading} (--json lists all):\n${kinds.join('')}`;
}

function formatSkipped(skipped: SkippedRows): string {
  const rows = Object.entries(skipped).filter(([, count]) => count > 0);
  if (rows.length === 0) return '';
  return `\nRows left out:\n${table(rows.map(([kind, count]) => [kind.replaceAll('-', ' '), count]))}`;
}
