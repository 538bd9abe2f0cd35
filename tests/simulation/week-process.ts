import { fork } from 'node:child_process';

/** How a week went. */
export interface WeekReport {
  /** SHA-256 of all events as the log holds them, hexadecimal. */
  readonly log: string;
  /** What is wrong at its end. */
  readonly amiss: readonly string[];
  /** What happened how often. */
  readonly happened: Readonly<Record<string, number>>;
}

/** Has a week simulated by a process of its own, which has nothing in common with others but the seed. */
export function runWeek(seed: string, orders: number): Promise<WeekReport> {
  const child = fork(new URL('main.js', import.meta.url), [seed, String(orders)], {
    execArgv: ['--enable-source-maps', '--no-warnings'],
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  return new Promise((resolve, reject) => {
    let report: WeekReport | undefined;
    child.on('message', (message) => (report = message as WeekReport));
    child.on('error', reject);
    child.on('exit', () => {
      if (report === undefined) reject(new Error(`The week of seed ${seed} came to no end.\n${output}`));
      else resolve(report);
    });
  });
}
