import { Option, type Command } from 'commander';
import { InvalidInput } from '@waybill/shared-kernel/errors.js';
import { idPattern } from '@waybill/shared-kernel/stream.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { roles, type Role } from '@waybill/infra/http/identity/caller.js';
import { issueDevelopmentToken, openDevelopmentKey } from '@waybill/infra/http/identity/development-key.js';
import { print, type Context } from './context.js';
import { durationOption } from './text/time.js';

interface TokenOptions {
  readonly role: readonly Role[];
  readonly sub: string;
  readonly expiresIn?: number;
}

export function addToken(program: Command, context: Context): void {
  program
    .command('token')
    .summary('print a development token')
    .description(
      'Prints a token of the development key in the data folder, for the Authorization header. Not for production.',
    )
    .addOption(
      new Option('--role <role...>', 'a role of the bearer; repeat it for several')
        .choices(roles)
        .makeOptionMandatory(),
    )
    .requiredOption('--sub <id>', "who its bearer is: a customer's, courier's or merchant's id")
    .option('--expires-in <duration>', 'how long it is valid, such as 15m, 8h or 30d (30d)', durationOption)
    .option('--json', 'accepted without effect: only the token is printed')
    .addHelpText(
      'after',
      `
Example:
  $ TOKEN=$(npx waybill token --role customer --sub anna)
  $ curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:4001/v1/orders`,
    )
    .action(async (options: TokenOptions) => {
      await print(context, `${await tokenOf(options, context)}\n`);
    });
}

async function tokenOf({ role, sub, expiresIn }: TokenOptions, { config, clock }: Context): Promise<string> {
  if (!idPattern.test(sub)) throw new InvalidInput([], `--sub is "${sub}"; an id is 1 to 64 of A-Z a-z 0-9 _ -.`);
  const { dataFolder } = config();
  prepareDataFolder(dataFolder);
  const key = await openDevelopmentKey(dataFiles(dataFolder).developmentKey);
  return issueDevelopmentToken(
    key,
    { sub, roles: [...new Set(role)], ...(expiresIn !== undefined && { expiresIn }) },
    clock,
  );
}
