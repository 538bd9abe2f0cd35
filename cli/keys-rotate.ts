import type { Command } from 'commander';
import { BadConfiguration } from '@waybill/shared-kernel/errors.js';
import { systemRandomness } from '@waybill/infra/clock/system.js';
import { openKeys } from '@waybill/infra/process/engines.js';
import { closing } from './stores/closing.js';
import { print, printJson, type Context } from './context.js';
import { counted } from './text/table.js';

export function addKeys(program: Command, context: Context): void {
  program
    .command('keys')
    .summary("manage the customers' keys")
    .description("Manages the customers' keys.")
    .command('rotate')
    .summary('wrap all keys with a new master key')
    .option('--json', 'one JSON document for programs: {wrappedAnew}')
    .description(
      `Wraps every key by WAYBILL_MASTER_KEY which is still wrapped by WAYBILL_MASTER_KEY_PREVIOUS, beside running processes.
Give both to all processes first. It may be broken off and run again; when it says that none was left, the previous one is
needed no more, but for backups that were made before.`,
    )
    .addHelpText(
      'after',
      `
Example:
  $ npx waybill keys rotate`,
    )
    .action(async ({ json }: { readonly json?: true }) => {
      const config = context.config();
      if (config.previousMasterKey === undefined) {
        throw new BadConfiguration(
          'WAYBILL_MASTER_KEY_PREVIOUS is not set; it takes the master key that the keys are wrapped by until now.',
        );
      }
      const rotated = await closing(openKeys(config, systemRandomness), (keys) => keys.rotate());
      if (json) return printJson(context, rotated);
      const { wrappedAnew } = rotated;
      return print(
        context,
        wrappedAnew === 0
          ? 'None was left: every key is wrapped by WAYBILL_MASTER_KEY.\n'
          : `Wrapped ${counted(wrappedAnew, 'key')} anew. Run it once more to see that none was left.\n`,
      );
    });
}
