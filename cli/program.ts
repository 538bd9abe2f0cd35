import { createRequire } from 'node:module';
import { Command } from 'commander';
import { addAudit } from './audit-verify.js';
import { addBackup } from './backup.js';
import { addImport } from './import-olist.js';
import type { Context } from './context.js';
import { addDemo } from './demo.js';
import { addDoctor } from './doctor.js';
import { endingOf, exitCodes, type ExitCode } from './exit-code.js';
import { addFulfilment } from './fulfilment.js';
import { addKeys } from './keys-rotate.js';
import { addMigrate } from './migrate.js';
import { addQuarantine } from './quarantine.js';
import { addRebuild } from './rebuild.js';
import { addReplayHistory } from './replay-history.js';
import { addReplayOrder } from './replay-order.js';
import { addRestore } from './restore.js';
import { addStatus } from './status.js';
import { addToken } from './token.js';

const { version } = createRequire(import.meta.url)('../../package.json') as { readonly version: string };

/** The command line `waybill`, ready to parse. `end` is called with what a verb found that ran to its end. */
function commandLine(context: Context, end: (exitCode: ExitCode) => void): Command {
  const program = new Command('waybill')
    .description('Orders and deliveries as a log of facts: tools for operators.')
    .version(version, '-V, --version', 'show the version')
    // Descriptions are broken into lines where they are written; how wide the terminal is, only the help knows.
    .configureHelp({ commandDescription: (command) => command.description().replaceAll(/(?<!\n)\n(?!\n)/g, ' ') })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
    })
    .addHelpText(
      'after',
      `
Every verb has --help with an example, and --json for programs.
Exit codes: 0 success, 1 a check failed or the thing was not found, 2 wrong usage, 3 a required service is down.
The environment variables are those of the server; WAYBILL_DATA is the data folder (./waybill-data).`,
    );
  addToken(program, context);
  addDemo(program, context);
  addImport(program, context, end);
  const replay = program
    .command('replay')
    .summary('fold the past from the log')
    .description('Folds the past from the log.');
  addReplayOrder(replay, context);
  addReplayHistory(replay, context, end);
  addAudit(program, context, end);
  addRebuild(program, context, end);
  addQuarantine(program, context, end);
  addFulfilment(program, context);
  addStatus(program, context, end);
  addBackup(program, context);
  addRestore(program, context);
  addKeys(program, context);
  addMigrate(program, context, end);
  addDoctor(program, context, end);
  return program;
}

/** Refuses what is no verb, also where `--help` follows, by which commander would be content. */
function assertKnown(words: readonly string[], program: Command): void {
  let command = program;
  for (const word of words) {
    if (word.startsWith('-') || command.commands.length === 0) return;
    const known = command.commands.find((one) => one.name() === word);
    if (known === undefined && word !== 'help') command.error(`error: unknown command '${word}'`);
    if (known === undefined) return;
    command = known;
  }
}

/** Runs one command line, the verb first. Never rejects. */
export async function runCommandLine(words: readonly string[], context: Context): Promise<ExitCode> {
  let found: ExitCode = exitCodes.good;
  try {
    const program = commandLine(context, (exitCode) => {
      found = exitCode;
    });
    assertKnown(words, program);
    await program.parseAsync(words, { from: 'user' });
    return found;
  } catch (error) {
    const { exitCode, message } = endingOf(error);
    if (message !== undefined) context.err.write(`${message}\n`);
    return exitCode;
  }
}
