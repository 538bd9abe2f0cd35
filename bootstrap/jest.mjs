import { join } from 'node:path';
import { runNode } from './run.mjs';

/** What Node is given to run Jest over the compiled tests, with the arguments given (path patterns, options). */
export function jestArguments(args) {
  const flags = ['--experimental-vm-modules', '--enable-source-maps', '--no-warnings'];
  return [...flags, join('node_modules', 'jest', 'bin', 'jest.js'), ...args];
}

/** Runs Jest. Resolves with its exit code. */
export function jest(args, options = { stdio: 'inherit' }) {
  return runNode(jestArguments(args), options);
}
