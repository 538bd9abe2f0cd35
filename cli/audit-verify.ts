import type { Command } from 'commander';
import type { Difference } from '@waybill/projections/audit/difference.js';
import { verifyReadModels, type AuditReport } from '@waybill/projections/audit/verify-read-models.js';
import { auditedLists } from './fulfilment/lists.js';
import { cutText } from '@waybill/projections/quarantine/degraded-view.js';
import { print, printJson, withProgress, type Context } from './context.js';
import { withLog, withReadModels } from './stores/engines.js';
import { exitCodes, type ExitCode } from './exit-code.js';
import { counted } from './text/table.js';

export function addAudit(program: Command, context: Context, end: (exitCode: ExitCode) => void): void {
  program
    .command('audit')
    .summary('check the stored data')
    .description('Checks the stored data.')
    .command('verify')
    .summary('compare every read model with the log')
    .option(
      '--json',
      'one JSON document for programs: {ok, events, documents, differences, quarantined, cut, unreadable}',
    )
    .description(
      `Replays the log and compares every document of every read model with it, at the document's own revisions:
that a read model is behind is no difference, nor is a document in quarantine. So are the lists that fulfilment keeps:
what each order waits for (worklist), and the suspended orders (fulfilment). Nothing is changed. A server may
run meanwhile.`,
    )
    .addHelpText(
      'after',
      `
Exit code 1: there is a difference, or events cannot be compared because they are gone from the event store (cut) or cannot
be read (unreadable; documents that hold what they said are not compared). Each difference is named with the first event from which on the read model went astray.

Example:
  $ npx waybill audit verify`,
    )
    .action(async ({ json }: { readonly json?: true }) => {
      const report = await verify(context);
      if (json) await printJson(context, report);
      else await print(context, formatReport(report));
      if (!report.ok) end(exitCodes.failed);
    });
}

function verify(context: Context): Promise<AuditReport> {
  const config = context.config();
  return withLog(config, context.clock, (store) =>
    withReadModels(config, async (readStore, live) => {
      const all = [...live, ...(await auditedLists(readStore))];
      return withProgress(context, 'Replaying', (progress) =>
        verifyReadModels(
          all,
          { store, readStore },
          { onProgress: (position, head) => progress.advance(position, head) },
        ),
      );
    }),
  );
}

function formatReport({ ok, events, documents, differences, quarantined, cut, unreadable }: AuditReport): string {
  const checked = `${counted(documents, 'document')} against ${counted(events, 'event')} of the log`;
  const waiting = formatQuarantine(quarantined);
  if (ok) return `Good: compared ${checked}; they agree.\n${waiting}`;
  const list = differences.map(formatDifference).join('');
  const advice =
    differences.length === 0
      ? ''
      : `The log is the truth: make them anew from it with npx waybill rebuild <projection>.\n`;
  const found = `Compared ${checked}: ${counted(differences.length, 'difference')}.\n${list}${advice}`;
  return `${found}${formatCut(cut)}${formatUnreadable(unreadable)}${waiting}`;
}

function formatCut(cut: AuditReport['cut']): string {
  if (cut.length === 0) return '';
  const named = cut
    .slice(0, mostNamed)
    .map((document) => `  ${document.projection} ${document.key}: ${cutText(document)}\n`);
  const more = cut.length > mostNamed ? '  …\n' : '';
  return `Cut, and not compared: ${counted(cut.length, 'document')}. They hold the last state that is known; a rebuild keeps it.\n${named.join('')}${more}`;
}

function formatUnreadable(unreadable: AuditReport['unreadable']): string {
  if (unreadable.length === 0) return '';
  const named = unreadable
    .slice(0, mostNamed)
    .map(
      ({ stream, revision, position, detail }) =>
        `  position ${position}, revision ${revision} of ${stream}: ${detail}.\n`,
    );
  const more = unreadable.length > mostNamed ? '  …\n' : '';
  return `Cannot be read: ${counted(unreadable.length, 'event')} of the log. Documents that hold what they said are not compared.\n${named.join('')}${more}`;
}

/** How many are named. */
const mostNamed = 10;

function formatQuarantine(quarantined: AuditReport['quarantined']): string {
  if (quarantined.length === 0) return '';
  const named = quarantined.slice(0, mostNamed).map(({ projection, key }) => `  ${projection} ${key}\n`);
  const more = quarantined.length > mostNamed ? '  …\n' : '';
  const count = counted(quarantined.length, 'document');
  return `In quarantine, and right as far as they go: ${count} (npx waybill quarantine list).\n${named.join('')}${more}`;
}

function formatDifference({ projection, key, path, expected, actual, divergedAt }: Difference): string {
  const where = `  ${projection} ${key}${path === '' ? '' : ` at ${path}`}\n`;
  const since = divergedAt === null ? 'no event of the log' : `event at position ${divergedAt}`;
  return `${where}    log says    ${shown(expected)}\n    stored is   ${shown(actual)}\n    went astray ${since}\n`;
}

function shown(value: unknown): string {
  if (value === null) return 'nothing';
  const text = JSON.stringify(value);
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}
