import { resolve } from 'node:path';
import type { Command } from 'commander';
import { tellFaults } from './backup.js';
import { restoreBackup } from './backup/restore-backup.js';
import { formatFaults } from './stores/log-faults.js';
import { print, printJson, say, withProgress, type Context } from './context.js';
import { counted } from './text/table.js';

/** What is said before events of customers that cannot be had. */
const mayBeErased =
  'Whether these customers are erased cannot be told from the log, so their keys are as in the backup. Erase again who is:';

export function addRestore(program: Command, context: Context): void {
  program
    .command('restore')
    .summary('restore a backup into an empty data folder')
    .argument('<folder>', 'a folder made by backup, with its keys')
    .option('--keys <folder>', "the keys of a later backup, in place of this one's")
    .option('--json', "one JSON document for programs: the backup's manifest")
    .description(
      `Checks a backup, then restores it into the data folder (WAYBILL_DATA), which must be empty or new. Customers who were
erased, by its log or by the keys of a later backup, have no key afterwards.`,
    )
    .addHelpText(
      'after',
      `
Exit code 1: the backup is damaged or incomplete; nothing was restored.

Example:
  $ WAYBILL_DATA=./restored npx waybill restore /backups/waybill-2026-01-31
  $ WAYBILL_DATA=./restored npx waybill restore /backups/waybill-2026-01-31 --keys /vault/waybill-2026-02-28/keys`,
    )
    .action(async (folder: string, { json, keys }: { readonly json?: true; readonly keys?: string }) => {
      const { dataFolder } = context.config();
      const { manifest, doubted } = await withProgress(context, 'Restoring', (progress) =>
        restoreBackup({ folder, keys, dataFolder, clock: context.clock }, (done, total) =>
          progress.advance(done, total),
        ),
      );
      tellFaults(context, 'restored as it is', manifest);
      if (doubted.length > 0) say(context, `${mayBeErased}\n${formatFaults(doubted).trimEnd()}`);
      if (json) return printJson(context, manifest);
      return print(
        context,
        `Restored ${counted(manifest.files.length, 'file')} of ${resolve(folder)} (made ${manifest.createdAt}) to ${dataFolder}.\n`,
      );
    });
}
