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
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { projections } from '../catalogue.js';
import { changeVersions } from '../rebuild/change-versions.js';
import { requestRebuild } from '../rebuild/request-rebuild.js';
import { print, printJson, say, type Context } from './context.js';
import { isAlone } from './data-folder.js';
import { withEngines } from './engines.js';
import { exitCodes, type ExitCode } from './exit-code.js';
import { showProgress, type Progress } from './progress.js';
import { counted } from './table.js';

/** `--json`. */
interface RebuildReport extends RebuildOutcome {
  readonly projection: string;
  /** The versions that are read now, and that can be gone back to. */
  readonly live: number;
  readonly previous: number | null;
}

const exitCodeOfResult: Readonly<Record<RebuildResult, ExitCode>> = {
  switched: exitCodes.good,
  differs: exitCodes.failed,
  failed: exitCodes.down,
};

export function addRebuild(program: Command, context: Context, end: (exitCode: ExitCode) => void): void {
  const names = projections.map(({ collection }) => collection.name);
  program
    .command('rebuild')
    .summary('make a read model anew from the log, beside the one that is read')
    .argument('<projection>', names.join(', '))
    .option('--rollback', 'go back to the version before, brought up to date from the log')
    .option('--json', 'one JSON document for programs: {projection, result, live, previous, documents, …}')
    .description(
      `Makes the next version of a read model from the log, beside the one that is read, compares it with the log,
and switches to it in one write; where it differs, nothing is switched. Reads go on all the time. The version before
is kept. The running projector does it and this command shows it; without one, this command does it.`,
    )
    .addHelpText(
      'after',
      `
Ctrl-C ends the command and not the work of a running projector.
Exit code 1: it differs from the log. Each of the first differences is named.

Example:
  $ npx waybill rebuild orders`,
    )
    .action(async (name: string, { rollback, json }: { readonly rollback?: true; readonly json?: true }) => {
      const projection = projections.find(({ collection }) => collection.name === name);
      if (projection === undefined) {
        throw new InvalidInput([], `There is no read model ${name}; there are ${names.join(', ')}.`);
      }
      const report = await rebuild(projection, rollback === true ? 'rollback' : 'rebuild', context);
      if (report === undefined) {
        end(exitCodes.interrupted);
        return;
      }
      if (json) await printJson(context, report);
      else await print(context, told(report));
      end(exitCodeOfResult[report.result]);
    });
}

/** `undefined`: interrupted. */
async function rebuild(
  projection: Projection,
  kind: RebuildKind,
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
        { store, readStore, clock, timer: systemTimer, randomness: systemRandomness },
        { alone, signal, onProgress: (under) => shown.show(under) },
      );
      if (outcome === undefined) {
        shown.end();
        say(context, alone ? stopped : goesOn);
        return undefined;
      }
      const { live, previous = null } = await changeVersions(projection.collection, readStore);
      return { projection: projection.collection.name, ...outcome, live, previous };
    } finally {
      shown.end();
    }
  });
}

const goesOn = 'The running projector goes on with it; npx waybill status shows how far it is.';
const stopped = 'It stands still until a server runs, or the same command is given again.';

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
        this.context.clock,
      );
    }
    this.#progress?.advance(position, head, rate);
  }

  end(): void {
    this.#progress?.end();
    this.#progress = undefined;
  }
}

function told({
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
      return `Version ${live} of ${projection} is read now: ${counted(documents, 'document')} that agree with the log.\n${mends}${back}`;
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
  return `${counted(count, 'difference')}:\n${first.map((difference) => toldDifference(difference, stored)).join('')}${more}`;
}

function toldDifference({ key, path, expected, actual, divergedAt }: FoundDifference, stored: string): string {
  const since = divergedAt === null ? '' : `    since the event at position ${divergedAt}\n`;
  return `  ${key}${path === '' ? '' : ` at ${path}`}\n    log says   ${expected}\n    ${stored.padEnd(10)} ${actual}\n${since}`;
}
