import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { prepareDataFolder } from '@waybill/infra/process/data-folder.js';
import { issueDevelopmentToken, openDevelopmentKey } from '@waybill/infra/http/identity/development-key.js';
import { runHere } from '@waybill/cli/testing/run-here.js';
import { partArguments } from './part-arguments.js';

export interface CommandLineResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `waybill` with these arguments on a data folder, as a process of its own. */
export async function runCommandLine(
  dataFolder: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<CommandLineResult> {
  const child = spawn(process.execPath, partArguments('cli', ...args), {
    env: { ...process.env, NODE_OPTIONS: '', WAYBILL_DATA: dataFolder, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  await once(child, 'close');
  return { exitCode: child.exitCode, stdout, stderr };
}

/** The same in this process: quicker where a test runs many. */
export async function runCommandLineHere(dataFolder: string, args: readonly string[]): Promise<CommandLineResult> {
  const { code, stdout, stderr } = await runHere(args, { ...process.env, WAYBILL_DATA: dataFolder });
  return { exitCode: code, stdout, stderr };
}

/** A token for whoever tries things: an operator who is a merchant too. */
export async function operatorToken(dataFolder: string, sub = 'shop'): Promise<string> {
  prepareDataFolder(dataFolder);
  const key = await openDevelopmentKey(dataFiles(dataFolder).developmentKey);
  return issueDevelopmentToken(key, { sub, roles: ['operator', 'merchant'] }, systemClock);
}
