import { execFile } from 'node:child_process';
import { checkout } from './checkout.js';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node with these arguments in the checkout and waits for its end. */
export function node(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: checkout, env: { ...process.env, ...environment }, maxBuffer: 1 << 26 };
    execFile(process.execPath, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 128;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Runs the text of an ES module whose imports are relative to the checkout. */
export function nodeModule(text: string, environment?: NodeJS.ProcessEnv): Promise<Ended> {
  return node(['--input-type=module', '--eval', text], environment);
}
