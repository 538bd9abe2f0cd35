import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, isListening } from '../../../testing/loopback-port.js';

/**
 * The command that starts a server; `{port}`, `{folder}` and `{options}` stand for where, and for what a test wants of it
 * besides (`--chunk-size 1048576`). Such as `node bench/stand-in-eventstoredb.mjs {port} {folder}`, or
 * `eventstored --insecure --enable-atom-pub-over-http --http-port {port} --db {folder}/db --log {folder}/log {options}`.
 */
export const startCommand = process.env['WAYBILL_TEST_ESDB_START'] ?? '';

/** How long a server may take until it leads. */
const answerTimeoutMs = 120_000;

export interface EventStoreDbProcessOptions {
  readonly options?: string;
  readonly command?: string;
  readonly port?: number;
}

/** A server of a suite's own, which can be killed and started again with what it had in its files. */
export class EventStoreDbProcess {
  readonly #folder = mkdtempSync(join(tmpdir(), 'waybill-eventstoredb-'));
  readonly #options: string;
  readonly #command: string;
  #port: number;
  #saved = 0;
  #process: ChildProcess | undefined;

  /** `port`: a free one, unless it is said. */
  constructor({ options = '', command = startCommand, port = 0 }: EventStoreDbProcessOptions = {}) {
    this.#options = options;
    this.#command = command;
    this.#port = port;
  }

  get url(): string {
    return `esdb://127.0.0.1:${this.#port}?tls=false`;
  }

  /** Resolves when it says that it leads, or follows a node that does. Rejects when it ends instead, or says nothing of the kind for two minutes. */
  async start(): Promise<void> {
    this.#port ||= await freePort();
    const line = this.#command
      .replaceAll('{port}', String(this.#port))
      .replaceAll('{folder}', this.#folder)
      .replaceAll('{options}', this.#options);
    // A process group of its own, so that nothing of it is left when it is killed.
    const started = spawn(line, { shell: true, detached: true, stdio: 'ignore' });
    this.#process = started;
    const until = performance.now() + answerTimeoutMs;
    while (!(await this.#isReady())) {
      if (started.exitCode !== null) throw new Error(`"${line}" ended with ${started.exitCode}.`);
      if (performance.now() > until) {
        await this.kill();
        throw new Error(`"${line}" is not ready after ${answerTimeoutMs / 1_000} s.`);
      }
      await sleep(20);
    }
    started.once('exit', (code) => {
      if (this.#process === started) process.stderr.write(`"${line}" ended on its own, with ${code}.\n`);
    });
  }

  /** SIGKILL. Resolves when it is dead. */
  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running?.pid === undefined || running.exitCode !== null) return;
    const ended = new Promise((resolve) => running.once('exit', resolve));
    process.kill(-running.pid, 'SIGKILL');
    await ended;
    while (await isListening(this.#port)) await sleep(20);
  }

  /** Keeps a copy of its files, for which it is stopped; gives what puts them back and starts it again. */
  async save(): Promise<() => Promise<void>> {
    const copy = `${this.#folder}.saved-${(this.#saved += 1)}`;
    await this.kill();
    cpSync(this.#folder, copy, { recursive: true });
    await this.start();
    return async () => {
      await this.kill();
      rmSync(this.#folder, { recursive: true });
      cpSync(copy, this.#folder, { recursive: true });
      await this.start();
    };
  }

  /** Rejects where the server refuses. It goes on afterwards. */
  async scavenge(): Promise<void> {
    const { status } = await fetch(`http://127.0.0.1:${this.#port}/admin/scavenge`, { method: 'POST' });
    if (status !== 200) throw new Error(`It does not scavenge: ${status}.`);
  }

  async dispose(): Promise<void> {
    await this.kill();
    const copies = Array.from({ length: this.#saved }, (_, index) => `${this.#folder}.saved-${index + 1}`);
    for (const folder of [this.#folder, ...copies]) rmSync(folder, { recursive: true, force: true });
  }

  /** Stops it where it is, as a machine does that hangs: connections stay, and nothing is answered. `kill` ends it. */
  freeze(): void {
    if (this.#process?.pid !== undefined) process.kill(-this.#process.pid, 'SIGSTOP');
  }

  async #isReady(): Promise<boolean> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#port}/info`, { signal: AbortSignal.timeout(2_000) });
      const said = (await answer.json()) as { readonly state?: unknown };
      return ['leader', 'follower'].includes(String(said.state).toLowerCase());
    } catch {
      return false;
    }
  }
}
