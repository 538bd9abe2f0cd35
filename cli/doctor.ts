import { existsSync } from 'node:fs';
import process from 'node:process';
import type { Command } from 'commander';
import { dataFiles, isEmbedded, type Config } from '@waybill/infra/process/config.js';
import { print, printJson, type Context } from './context.js';
import { isServed } from './stores/data-folder.js';
import { checkBroker } from './doctor/broker.js';
import { isDown, looking, skipped, good, type Check } from './doctor/check.js';
import { judgeConfiguration } from './doctor/configuration.js';
import { checkDataFolder } from './doctor/data-folder.js';
import { checkEvents, checkEventStore, checkLogClock } from './doctor/event-store.js';
import { checkIdentityProvider } from './doctor/identity-provider.js';
import { checkLeases } from './doctor/leases.js';
import { checkPaymentGateway } from './doctor/payment-gateway.js';
import { checkPorts } from './doctor/ports.js';
import { checkProgress } from './doctor/progress.js';
import { checkReadStore } from './doctor/read-store.js';
import { judgeNode } from './doctor/runtime.js';
import { exitCodes, type ExitCode } from './exit-code.js';
import { table } from './text/table.js';

/** What one look may take. */
const limitMs = 3_000;

export function addDoctor(program: Command, context: Context, end: (exitCode: ExitCode) => void): void {
  program
    .command('doctor')
    .summary('check everything Waybill needs, and say how to fix it')
    .option('--json', 'one JSON document for programs: {ok, checks: [{name, state, detail, mend?}]}')
    .description(
      `Checks configuration, data folder, ports and servers, and how far everything has come. Each check takes a few
seconds at most. It changes nothing, and works with or without a running server.`,
    )
    .addHelpText(
      'after',
      `
Exit code 1: something is bad; 3: something that is needed does not answer. Warnings alone are 0.

Example:
  $ npx waybill doctor`,
    )
    .action(async ({ json }: { readonly json?: true }) => {
      const checks = await examine(context);
      const ok = checks.every(({ state }) => state !== 'bad');
      if (json) {
        const shown = checks.map(({ name, state, detail, mend }) => ({ name, state, detail, ...(mend && { mend }) }));
        await printJson(context, { ok, checks: shown });
      } else await print(context, formatChecks(checks));
      if (!ok) end(checks.some(isDown) ? exitCodes.down : exitCodes.failed);
    });
}

async function examine({ environment, clock }: Context): Promise<readonly Check[]> {
  const { checks, config } = judgeConfiguration(environment);
  const first = [judgeNode(process.versions.node), ...checks];
  if (config === undefined) return [...first, skipped('everything else', 'The configuration comes first.')];
  const isRunning = serverRuns(config);
  const looks: readonly (readonly [name: string, mend: string, look: () => Promise<readonly Check[]>])[] = [
    ['data folder', 'Do what it says.', async () => checkDataFolder(config)],
    ['ports', 'Do what it says.', () => checkPorts(config)],
    ['event store', 'Start EventStoreDB, or correct WAYBILL_EVENT_STORE.', () => checkEventStore(config)],
    ['clock of the log', 'See the event store.', () => checkLogClock(config, clock)],
    ['events of the log', 'See the event store.', () => checkEvents(config, clock)],
    ['broker', 'Start RabbitMQ, or correct WAYBILL_BROKER.', () => checkBroker(config)],
    ['read store', 'Start MongoDB, or correct WAYBILL_READ_STORE.', () => checkReadStore(config)],
    ['leases', 'See the read store.', () => checkLeases(config)],
    ['progress', 'See event store and read store.', () => checkProgress(config, clock, isRunning)],
    ['payment gateway', 'Correct WAYBILL_PAYMENT_URL.', () => checkPaymentGateway(config)],
    ['identity provider', 'Correct WAYBILL_JWKS_URL.', () => checkIdentityProvider(config)],
  ];
  const found = await Promise.all(looks.map(([name, mend, look]) => looking(name, mend, limitMs, look)));
  return [...first, ...(isEmbedded(config) ? [judgeServer(isRunning)] : []), ...found.flat()];
}

/** Where nothing was ever started there is no lock, and none is made. */
function serverRuns({ dataFolder }: Config): boolean {
  try {
    return existsSync(dataFiles(dataFolder).lock) && isServed(dataFolder);
  } catch {
    // The check of the folder says what is wrong with it.
    return false;
  }
}

function judgeServer(isRunning: boolean): Check {
  return isRunning ? good('server', 'running') : skipped('server', 'not running; npm start starts it');
}

const marks = { good: 'good', warning: 'WARNING', bad: 'BAD', skipped: '–' } as const;

function formatChecks(checks: readonly Check[]): string {
  const lines = checks.map((check) => {
    const line = table([[marks[check.state].padEnd(7), check.name.padEnd(24), check.detail]]);
    return check.mend === undefined ? line : `${line}           → ${check.mend}\n`;
  });
  const count = (state: Check['state']): number => checks.filter((check) => check.state === state).length;
  const summary =
    count('bad') + count('warning') === 0
      ? 'All is well.'
      : `${count('bad')} bad, ${count('warning')} to check; each says how to fix it.`;
  return `${lines.join('')}${summary}\n`;
}
