import { spawn } from 'node:child_process';
import { root } from './root.mjs';

/** What may still be tidied up by what is ended after its time, milliseconds. */
const tidyingTime = 30_000;

/**
 * Runs a program in the checkout and waits for it. Its output goes where `stdio` says; by default to standard error,
 * because standard output belongs to whatever was started (`npx waybill … --json`). After `timeout` milliseconds it is
 * ended, with all that it started.
 * Resolves with the exit code, 128 when a signal ended it. Rejects when it cannot be started.
 */
export function run(command, args, { stdio = ['ignore', 2, 2], timeout, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const detached = timeout !== undefined; // a process group of its own, which can be ended as one
    const child = spawn(command, args, { cwd: root, stdio, detached, ...options });
    const letGo = timeout === undefined ? () => {} : bound(child, timeout);
    child.once('error', reject);
    child.once('close', (code) => {
      letGo();
      resolve(code ?? 128);
    });
  });
}

/** Ends the child's group after its time, or before this process is ended. Gives how to let it go. */
function bound(child, timeout) {
  const end = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It has ended.
    }
  };
  const timers = [setTimeout(end, timeout, 'SIGTERM'), setTimeout(end, timeout + tidyingTime, 'SIGKILL')];
  const signals = ['SIGINT', 'SIGTERM'];
  let received;
  const passOn = (signal) => {
    received = signal;
    end(signal);
  };
  for (const signal of signals) process.on(signal, passOn);
  return () => {
    timers.forEach(clearTimeout);
    for (const signal of signals) process.off(signal, passOn);
    if (received !== undefined) process.kill(process.pid, received);
  };
}

/** Runs a script of a package with this Node. */
export function runNode(args, options) {
  return run(process.execPath, args, options);
}
