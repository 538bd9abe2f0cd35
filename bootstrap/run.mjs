import { spawn } from 'node:child_process';
import { root } from './root.mjs';

/**
 * Runs a program in the checkout and waits for it. Its output goes where `stdio` says; by default to standard error,
 * because standard output belongs to whatever was started (`npx waybill … --json`).
 * Resolves with the exit code, 128 when a signal ended it. Rejects when it cannot be started.
 */
export function run(command, args, { stdio = ['ignore', 2, 2], ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio, ...options });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 128));
  });
}

/** Runs a script of a package with this Node. */
export function runNode(args, options) {
  return run(process.execPath, args, options);
}
