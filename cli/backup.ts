import { resolve } from 'node:path';
import type { Command } from 'commander';
import { makeBackup } from './backup/make-backup.js';
import { keysFolder, type Manifest } from './backup/manifest.js';
import { print, printJson, say, withProgress, type Context } from './context.js';
import { formatFaults } from './stores/log-faults.js';
import { counted } from './text/table.js';

const masterKeyNote = `No master key is in it: this folder has none of its own. Where WAYBILL_MASTER_KEY is set, keep that too.
`;

export function addBackup(program: Command, context: Context): void {
  program
    .command('backup')
    .summary('copy the data folder consistently')
    .argument('<folder>', 'a new or empty folder')
    .option('--json', 'one JSON document for programs: the manifest')
    .description(
      `Copies log, read models and keys, with or without a running server, and checks the copy. The keys are in a folder
of their own, ${keysFolder}/: keep it elsewhere, and nobody can read personal data from the rest.`,
    )
    .addHelpText(
      'after',
      `
Example:
  $ npx waybill backup /backups/waybill-$(date +%F)`,
    )
    .action(async (folder: string, { json }: { readonly json?: true }) => {
      const { dataFolder } = context.config();
      const manifest = await withProgress(context, 'Copying', (progress) =>
        makeBackup(dataFolder, folder, context.clock, (done, total) => progress.advance(done, total)),
      );
      tellFaults(context, 'copied as it is', manifest);
      if (json) return printJson(context, manifest);
      return print(
        context,
        `Copied ${counted(manifest.files.length, 'file')} of ${dataFolder} to ${resolve(folder)}, up to position ${manifest.log.position} of the log.
Keep ${resolve(folder, keysFolder)} apart from the rest.
${manifest.files.some(({ path }) => path === `${keysFolder}/master.key`) ? '' : masterKeyNote}`,
      );
    });
}

/** Says beside the result what of the log cannot be had. */
export function tellFaults(context: Context, done: string, { log: { faults = [] } }: Manifest): void {
  if (faults.length === 0) return;
  say(context, `Not all of the log can be had, and it was ${done}:\n${formatFaults(faults).trimEnd()}`);
}
