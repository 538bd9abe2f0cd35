import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { partArguments } from './part-arguments.js';

/** The processes that Waybill is made of where it is more than one. */
export const partNames = ['write-api', 'read-api', 'relay', 'projector', 'fulfilment'] as const;
export type PartName = (typeof partNames)[number];

/** Whatever runs in a process of its own, the gateway that a simulator is in place of too. */
export type ProcessName = PartName | 'payment-simulator';

/** One of them, or all in one, in a process as its package script starts it. */
export class PartProcess {
  readonly name: ProcessName | 'all';
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #output = '';

  private constructor(name: ProcessName | 'all', environment: NodeJS.ProcessEnv) {
    this.name = name;
    this.#child = spawn(process.execPath, partArguments(name), {
      env: { ...process.env, NODE_OPTIONS: '', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.#output += chunk.toString('utf8')));
    }
  }

  /** Resolves when it has said that it runs. Rejects with what it printed if it ends before. */
  static async start(name: ProcessName | 'all', environment: NodeJS.ProcessEnv): Promise<PartProcess> {
    const part = new PartProcess(name, environment);
    const greeted = name === 'all' ? /^Stop with Ctrl-C\.\n/m : / is running\b.*\n/;
    await new Promise<void>((resolve, reject) => {
      part.#child.stdout?.on('data', () => {
        if (greeted.test(part.#output)) resolve();
      });
      void part.#ended.then(() => reject(new Error(`It ended before it ran (${name}):\n${part.#output}`)), reject);
    });
    return part;
  }

  /** Where it answers; for an API. */
  get url(): string {
    return this.urlAfter(' is running:');
  }

  /** The address that it printed after these words. */
  urlAfter(words: string): string {
    const url = new RegExp(`${words}\\s+(http:\\S+)`).exec(this.#output)?.[1];
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
    await this.stop('SIGKILL');
  }

  /** Resolves when it has ended, with its exit code, null when a signal ended it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.isRunning) this.#child.kill(signal);
    await this.#ended;
    return this.#child.exitCode;
  }
}
