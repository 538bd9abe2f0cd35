import process from 'node:process';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { systemClock } from '@waybill/infra/clock/system.js';
import { readConfig } from '@waybill/infra/process/config.js';
import { runCommandLine } from './program.js';

// Whoever reads our output may have enough of it (`| head`): that is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runCommandLine(process.argv.slice(2), {
  config: () => readConfig(process.env),
  environment: process.env,
  clock: systemClock,
  steadyClock,
  interruption: () => {
    const interrupted = new AbortController();
    process.once('SIGINT', () => interrupted.abort());
    return interrupted.signal;
  },
  out: process.stdout,
  err: process.stderr,
});
