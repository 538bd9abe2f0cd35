import { spawn } from 'node:child_process';
import { once } from 'node:events';
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
