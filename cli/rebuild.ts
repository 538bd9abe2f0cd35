import type { Command } from 'commander';
import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import type {
  FoundDifference,
  FoundDifferences,
  Rebuild,
  RebuildKind,
  RebuildOutcome,
  RebuildResult,
  RebuildStep,
} from '@waybill/shared-kernel/ports/collection-versions.js';
import type { Collections, QuarantinedDocuments } from '@waybill/shared-kernel/ports/read-store.js';
import { isByFault } from '@waybill/shared-kernel/stream-faults.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { fulfilmentLists, type FulfilmentList } from './fulfilment/lists.js';
import { rebuildList } from './fulfilment/rebuild-list.js';
import { quarantineOf } from '@waybill/projections/quarantine/entries.js';
import { changeVersions } from '@waybill/projections/rebuild/change-versions.js';
import { requestRebuild } from '@waybill/projections/rebuild/request-rebuild.js';
import { atVersion } from '@waybill/projections/rebuild/versions.js';
import { print, printJson, say, withProgress, type Context } from './context.js';
import { isAlone } from './stores/data-folder.js';
import { withEngines } from './stores/engines.js';
import { exitCodes, type ExitCode } from './exit-code.js';
import { showProgress, type Progress } from './text/progress.js';
import { counted } from './text/table.js';

/** `--json`. */
interface RebuildReport extends RebuildOutcome {
  readonly projection: string;
  /** The versions that are read now, and that can be gone back to. */
  readonly live: number;
  readonly previous: number | null;
  /** Documents of it that stand still for what became of a stream: taken over from the version before, not compared. */
  readonly marked: readonly { readonly key: string; readonly error: string }[];
}

const exitCodeOfResult: Readonly<Record<RebuildResult, ExitCode>> = {
  switched: exitCodes.good,
  differs: exitCodes.failed,
  failed: exitCodes.down,
};

export function addRebuild(program: Command, context: Context, end: (exitCode: ExitCode) => void): void {
  const lists = fulfilmentLists.map(({ projection }) => projection.collection.name);
  const names = [...projections.map(({ collection }) => collection.name), ...lists];
  program
    .command('rebuild')
    .summary('rebuild a read model from the log beside the live version')
    .argument('[projection]', names.join(', '))
    .option('--all', 'all read models, one after another')
    .option('--rollback', 'go back to the previous version, brought up to date from the log')
    .option(
      '--json',
      'one JSON document for programs: {projection, result, live, previous, documents, …}, with --all a list of them',
    )
    .description(
      `Makes the next version of a read model from the log, beside the one that is read, compares it with the log,
and switches to it in one write; where it differs, nothing is switched. Reads go on all the time. The version before
is kept. The running projector does it and this command shows it; without one, this command does it.
The lists that fulfilment keeps, ${lists.join(' and ')}, have one version: what differs from the log is written anew in
place, by this command, whether or not fulfilment runs.
After an older backup of the log was restored, or another log was put in its place, --all mends whatever was made from
the one before.`,
    )
    .addHelpText(
      'after',
      `
Ctrl-C ends the command and not the work of a running projector.
Exit code 1: it differs from the log. Each of the first differences is named.

Example:
  $ npx waybill rebuild orders
  $ npx waybill rebuild --all`,
    )
    .action(async (name: string | undefined, { all, rollback, json }: RebuildOptions) => {
      const kind = rollback === true ? 'rollback' : 'rebuild';
      if ((name === undefined) === (all === undefined)) {
        throw new InvalidInput([], `Name one of ${names.join(', ')}, or give --all.`);
      }
      if (all === true && kind === 'rollback') throw new InvalidInput([], 'Name the read model to roll back.');
      const reports: RebuildReport[] = [];
      for (const each of name === undefined ? names : [name]) {
        const report = await rebuildNamed(each, kind, all === true, names, context);
        if (report === undefined) {
          end(exitCodes.interrupted);
          return;
        }
        reports.push(report);
        if (json === undefined) await print(context, isList(each) ? formatList(report) : formatReport(report));
      }
      if (json) await printJson(context, all === true ? reports : reports[0]);
      end(Math.max(...reports.map(({ result }) => exitCodeOfResult[result])) as ExitCode);
    });
}

interface RebuildOptions {
  readonly all?: true;
  readonly rollback?: true;
  readonly json?: true;
}

function isList(name: string): boolean {
  return fulfilmentLists.some(({ projection }) => projection.collection.name === name);
}

/** `undefined`: interrupted. `joins`: a rebuild that is under way is waited for. */
async function rebuildNamed(
  name: string,
  kind: RebuildKind,
  joins: boolean,
  names: readonly string[],
  context: Context,
): Promise<RebuildReport | undefined> {
  const list = fulfilmentLists.find(({ projection }) => projection.collection.name === name);
  if (list !== undefined) {
    if (kind === 'rollback') throw new InvalidInput([], `There is no version of ${name} to go back to.`);
    return mendList(list, context);
  }
  const projection = projections.find(({ collection }) => collection.name === name);
  if (projection === undefined) {
    throw new InvalidInput([], `There is no read model ${name}; there are ${names.join(', ')}.`);
  }
  return rebuild(projection, kind, joins, context);
}

function mendList(list: FulfilmentList, context: Context): Promise<RebuildReport> {
  const { clock } = context;
  const { name: projection, version: live } = list.projection.collection;
  return withEngines(context.config(), clock, (store, readStore) =>
    withProgress(context, `${projection}: comparing with the log`, async (progress) => {
      const dependencies = { store, readStore, clock, randomness: systemRandomness };
      const outcome = await rebuildList(list, dependencies, (position, head) => progress.advance(position, head));
      return { projection, ...outcome, live, previous: null, marked: await markedIn(list.projection, readStore) };
    }),
  );
}

function formatList({ projection, result, documents, mended, differences, marked }: RebuildReport): string {
  if (result === 'differs') return `${projection} still differs from the log: ${listed(differences, 'stored is')}`;
  const mends = mended.count === 0 ? '' : `That mends ${listed(mended, 'was')}`;
  return `${projection} is what the log says: ${counted(documents, 'document')}.\n${mends}${formatMarked(marked)}`;
}

/** `undefined`: interrupted. */
async function rebuild(
  projection: Projection,
  kind: RebuildKind,
  joins: boolean,
  context: Context,
): Promise<RebuildReport | undefined> {
  const { clock } = context;
  const config = context.config();
  return withEngines(config, clock, async (store, readStore) => {
    const alone = isAlone(config);
    const signal = context.interruption();
    const shown = new Shown(context, projection.collection.name);
    try {
      const outcome = await requestRebuild(
        projection,
        kind,
        { store, readStore, clock, steadyClock: context.steadyClock, timer: systemTimer, randomness: systemRandomness },
        { alone, joins: alone || joins, signal, onProgress: (under) => shown.show(under) },
      );
      if (outcome === undefined) {
        shown.end();
        say(context, alone ? stopped : goesOn);
        return undefined;
      }
      const { live, previous = null } = await changeVersions(projection.collection, readStore);
      const marked = await markedIn(atVersion(projection, live), readStore);
      return { projection: projection.collection.name, ...outcome, live, previous, marked };
    } finally {
      shown.end();
    }
  });
}

/** How many are named. */
const mostMarked = 20;

async function markedIn(
  projection: Projection,
  readStore: Collections & QuarantinedDocuments,
): Promise<RebuildReport['marked']> {
  await readStore.declare(projection.collection);
  const marked: { key: string; error: string }[] = [];
  for await (const { key, degraded } of quarantineOf(projection, readStore)) {
    if (isByFault(degraded)) marked.push({ key, error: degraded.error });
  }
  return marked;
}

function formatMarked(marked: RebuildReport['marked']): string {
  if (marked.length === 0) return '';
  const rows = marked.slice(0, mostMarked).map(({ key, error }) => `  ${key}: ${error}\n`);
  const more = marked.length > mostMarked ? `  … and ${marked.length - mostMarked} more\n` : '';
  const documents = counted(marked.length, 'document');
  return `In their last state that is known, and not compared: ${documents} (npx waybill quarantine list).\n${rows.join('')}${more}`;
}

const goesOn = 'The running projector goes on with it; npx waybill status shows how far it is.';
const stopped = 'It is paused until a server runs, or the same command is given again.';

const labels: Readonly<Record<RebuildStep, string>> = {
  replaying: 'replaying the log',
  following: 'drawing level',
  comparing: 'comparing with the log',
};

/** Each step of a rebuild as progress of its own. */
class Shown {
  #step: RebuildStep | undefined;
  #progress: Progress | undefined;

  constructor(
    private readonly context: Context,
    private readonly name: string,
  ) {}

  show({ step, version, progress: { position, head, rate } }: Rebuild): void {
    if (step !== this.#step) {
      this.end();
      this.#step = step;
      this.#progress = showProgress(
        this.context.err,
        `${this.name} version ${version}: ${labels[step]}`,
        this.context.steadyClock,
      );
    }
    this.#progress?.advance(position, head, rate);
  }

  end(): void {
    this.#progress?.end();
    this.#progress = undefined;
  }
}

function formatReport({
  projection,
  kind,
  version,
  live,
  previous,
  result,
  reason,
  documents,
  ...found
}: RebuildReport): string {
  switch (result) {
    case 'switched': {
      const back =
        previous === null
          ? ''
          : `Version ${previous} is kept: npx waybill rebuild ${projection} --rollback goes back to it.\n`;
      const mends = found.mended.count === 0 ? '' : `It mends ${listed(found.mended, 'was')}`;
      return `Version ${live} of ${projection} is read now: ${counted(documents, 'document')} that agree${documents === 1 ? 's' : ''} with the log.\n${mends}${formatMarked(found.marked)}${back}`;
    }
    case 'differs': {
      const kept = kind === 'rollback' ? 'It is kept as it is' : 'It is dropped';
      return `Version ${version} of ${projection} differs from the log. ${kept}, and version ${live} is read as before.\n${listed(found.differences, 'stored is')}`;
    }
    case 'failed':
      return `Version ${version} of ${projection} could not be made: ${reason ?? ''}\nVersion ${live} is read as before.\n`;
    default:
      return result satisfies never;
  }
}

function listed({ count, first }: FoundDifferences, stored: string): string {
  const more = count > first.length ? `  … and ${counted(count - first.length, 'more', 'more')}\n` : '';
  return `${counted(count, 'difference')}:\n${first.map((difference) => formatDifference(difference, stored)).join('')}${more}`;
}

function formatDifference({ key, path, expected, actual, divergedAt }: FoundDifference, stored: string): string {
  const since = divergedAt === null ? '' : `    since the event at position ${divergedAt}\n`;
  return `  ${key}${path === '' ? '' : ` at ${path}`}\n    log says   ${expected}\n    ${stored.padEnd(10)} ${actual}\n${since}`;
}
