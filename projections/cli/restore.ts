import { resolve } from 'node:path';
import type { Command } from 'commander';
import { restoreBackup } from './backup/restore-backup.js';
import { print, printJson, withProgress, type Context } from './context.js';
import { counted } from './table.js';

export function addRestore(program: Command, context: Context): void {
  program
    .command('restore')
    .summary('a backup into an empty data folder')
    .argument('<folder>', 'that backup made, with its keys')
    .option('--json', "one JSON document for programs: the backup's manifest")
    .description('Checks a backup, then puts it into the data folder (WAYBILL_DATA), which must be empty or new.')
    .addHelpText(
      'after',
      `
Exit code 1: the backup is damaged or incomplete; nothing was restored.

Example:
  $ WAYBILL_DATA=./restored npx waybill restore /backups/waybill-2026-01-31`,
    )
    .action(async (folder: string, { json }: { readonly json?: true }) => {
      const { dataFolder } = context.config();
      const manifest = await withProgress(context, 'Restoring', (progress) =>
        restoreBackup(folder, dataFolder, (done, total) => progress.advance(done, total)),
      );
      if (json) return printJson(context, manifest);
      return print(
        context,
        `Restored ${counted(manifest.files.length, 'file')} of ${resolve(folder)} (made ${manifest.createdAt}) to ${dataFolder}.\n`,
      );
    });
}
