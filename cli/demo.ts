import { InvalidArgumentError, type Command } from 'commander';
import { systemRandomness, systemTimer } from '@waybill/infra/clock/system.js';
import { seededRandomness } from '@waybill/infra/clock/seeded.js';
import { dataFiles, type Config } from '@waybill/infra/process/config.js';
import { issueDevelopmentToken, openDevelopmentKey } from '@waybill/infra/http/identity/development-key.js';
import { prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { print, printJson, withProgress, type Context } from './context.js';
import { apiClient, requireServer, type Caller } from './demo/api-client.js';
import { enact, type EnactedOrder } from './demo/enact.js';
import { planDemo, type Chance } from './demo/plan.js';
import { counted, table } from './text/table.js';

interface DemoOptions {
  readonly orders: number;
  readonly rate: number;
  readonly seed?: string;
  readonly json?: true;
}

export function addDemo(program: Command, context: Context): void {
  program
    .command('demo')
    .summary('simulate merchants, customers and couriers')
    .option('--orders <number>', 'number of orders, 1 to 100000', ordersOption, 20)
    .option('--rate <number>', 'orders placed per second', rateOption, 5)
    .option(
      '--seed <text>',
      'the same seed makes the same orders; a second run changes nothing (default: random)',
      seedOption,
    )
    .option('--json', 'one JSON document for programs')
    .description('Places orders, cancels some and delivers the others, through the real APIs of the running server.')
    .addHelpText(
      'after',
      `
Example:
  $ npm start                                 # in another terminal
  $ npx waybill demo --orders 50 --rate 10`,
    )
    .action(async ({ json, orders: count, rate, seed: given }: DemoOptions) => {
      const config = context.config();
      const seed = given ?? systemRandomness.uuid().slice(0, 8);
      const orders = await runDemo({ count, rate, seed }, config, context);
      if (json) await printJson(context, { seed, orders });
      else await print(context, formatDemo(seed, orders, config));
    });
}

async function runDemo(
  { count, rate, seed }: { readonly count: number; readonly rate: number; readonly seed: string },
  config: Config,
  context: Context,
): Promise<readonly EnactedOrder[]> {
  const { writeUrl, readUrl } = urlsOf(config);
  await requireServer(writeUrl);
  await requireServer(readUrl);
  const plan = planDemo(`demo-${seed}`, count, chanceOf(seed));
  const api = apiClient({ writeUrl, readUrl }, await tokens(config, context));
  return withProgress(context, 'Working', (progress) =>
    enact(plan, {
      api,
      clock: context.clock,
      steadyClock: context.steadyClock,
      timer: systemTimer,
      rate,
      onProgress: (done, total) => progress.advance(done, total),
    }),
  );
}

function urlsOf({ host, writePort, readPort, publicReadUrl }: Config) {
  return { writeUrl: `http://${host}:${writePort}`, readUrl: publicReadUrl ?? `http://${host}:${readPort}` };
}

function chanceOf(seed: string): Chance {
  const randomness = seededRandomness(seed);
  return () => Buffer.from(randomness.bytes(4)).readUInt32LE() / 2 ** 32;
}

/** Signs a token for each caller, once. */
async function tokens({ dataFolder }: Config, { clock }: Context): Promise<(caller: Caller) => Promise<string>> {
  prepareDataFolder(dataFolder);
  const key = await openDevelopmentKey(dataFiles(dataFolder).developmentKey);
  const issued = new Map<string, Promise<string>>();
  return ({ sub, role }) => {
    const token = issued.get(sub) ?? issueDevelopmentToken(key, { sub, roles: [role] }, clock);
    issued.set(sub, token);
    return token;
  };
}

function formatDemo(seed: string, orders: readonly EnactedOrder[], config: Config): string {
  const { writeUrl, readUrl } = urlsOf(config);
  const fates = [...new Set(orders.map(({ fate }) => fate))].map((fate) => [
    fate.replaceAll('-', ' '),
    orders.filter((order) => order.fate === fate).length,
  ]);
  const [first] = orders;
  const look =
    first === undefined
      ? ''
      : `
Look at one of them:
  $ TOKEN=$(npx waybill token --role customer --sub ${first.customerId})
  $ curl -H "Authorization: Bearer $TOKEN" ${readUrl}/v1/orders/${first.orderId}
  $ curl -H "Authorization: Bearer $TOKEN" ${readUrl}/v1/orders/${first.orderId}/timeline
`;
  return `${counted(orders.length, 'order')} (seed ${seed}):
${table(fates)}${look}
The APIs: ${readUrl}/docs and ${writeUrl}/docs
`;
}

function ordersOption(text: string): number {
  const orders = Number(text);
  if (!/^\d+$/.test(text) || orders < 1 || orders > 100_000) {
    throw new InvalidArgumentError('Expected is a whole number from 1 to 100000.');
  }
  return orders;
}

function rateOption(text: string): number {
  const rate = Number(text);
  if (!(rate > 0 && rate <= 10_000)) throw new InvalidArgumentError('Expected is a number above 0, up to 10000.');
  return rate;
}

function seedOption(text: string): string {
  if (!/^[A-Za-z0-9_-]{1,24}$/.test(text)) {
    throw new InvalidArgumentError('Expected are 1 to 24 of A-Z a-z 0-9 _ -.');
  }
  return text;
}
