import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The processes that Waybill is made of where it is more than one, and the file that each starts with. */
const roots = {
  'write-api': 'command-side/dist/main.js',
  'read-api': 'query-side/dist/main.js',
  relay: 'command-side/dist/relay/main.js',
  projector: 'projections/dist/main.js',
  fulfilment: 'command-side/dist/fulfilment/main.js',
} as const;

export type PartName = keyof typeof roots;

export const partNames = Object.keys(roots) as readonly PartName[];

const checkout = new URL('../../../', import.meta.url);

/** One of them, in a process as its package script starts it. */
export class PartProcess {
  readonly name: PartName;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #output = '';

  private constructor(name: PartName, environment: NodeJS.ProcessEnv) {
    this.name = name;
    this.#child = spawn(process.execPath, [fileURLToPath(new URL(roots[name], checkout))], {
      env: { ...process.env, NODE_OPTIONS: '', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.#output += chunk.toString('utf8')));
    }
  }

  /** Resolves when it says that it runs. Rejects with what it printed if it ends before. */
  static async start(name: PartName, environment: NodeJS.ProcessEnv): Promise<PartProcess> {
    const part = new PartProcess(name, environment);
    await new Promise<void>((resolve, reject) => {
      part.#child.stdout?.on('data', () => {
        if (/ is running\b.*\n/.test(part.#output)) resolve();
      });
      void part.#ended.then(() => reject(new Error(`The ${name} ended before it ran:\n${part.#output}`)), reject);
    });
    return part;
  }

  /** Where it answers; for an API. */
  get url(): string {
    const url = / is running: (http:\S+)/.exec(this.#output)?.[1];
    if (url === undefined) throw new Error(`The ${this.name} has no address:\n${this.#output}`);
    return url;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What it has printed so far, both streams. */
  get output(): string {
    return this.#output;
  }

  /** SIGKILL. Resolves when it is dead. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM. Resolves with its exit code, null when it had to be killed. */
  async stop(): Promise<number | null> {
    await this.#end('SIGTERM');
    return this.#child.exitCode;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.isRunning) this.#child.kill(signal);
    await this.#ended;
  }
}
