import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe } from '@jest/globals';
import { freePort, isListening } from '../../testing/loopback-port.js';

/**
 * The command that starts a server, for tests that kill one; `{port}` and `{folder}` stand for where. Such as
 * `node tools/servers/mongo-java-server.mjs {port} {folder}` or
 * `mongod --bind_ip 127.0.0.1 --port {port} --dbpath {folder}`. Without one they are skipped, and the run says so.
 */
const command = process.env['WAYBILL_TEST_MONGODB_START'] ?? '';

/** `describe` where a server can be started. */
export const describeWithServerProcess: typeof describe.skip = command === '' ? describe.skip : describe;

/** A server of a test's own, which can be killed and started again with what it had in its files. */
export class ServerProcess {
  readonly #folder = mkdtempSync(join(tmpdir(), 'waybill-mongodb-'));
  #port = 0;
  #process: ChildProcess | undefined;

  get url(): string {
    return `mongodb://127.0.0.1:${this.#port}`;
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    this.#port ||= await freePort();
    const line = command.replaceAll('{port}', String(this.#port)).replaceAll('{folder}', this.#folder);
    // A process group of its own, so that nothing of it is left when it is killed.
    const started = spawn(line, { shell: true, detached: true, stdio: 'ignore' });
    this.#process = started;
    while (!(await isListening(this.#port))) {
      if (started.exitCode !== null) throw new Error(`"${line}" ended with ${started.exitCode}.`);
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

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
