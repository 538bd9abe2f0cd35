import { join } from 'node:path';
import { runNode } from './run.mjs';

/** Runs Jest over the compiled tests, with the arguments given (path patterns, options). Resolves with its exit code. */
export function jest(args, options = { stdio: 'inherit' }) {
  const flags = ['--experimental-vm-modules', '--enable-source-maps', '--no-warnings'];
  return runNode([...flags, join('node_modules', 'jest', 'bin', 'jest.js'), ...args], options);
}
