import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'amqplib';
import { freePorts, isListening } from '../../../testing/loopback-port.js';

/** The scripts of Debian's package `rabbitmq-server`; those on the PATH insist on a user of their own. */
const programs = '/usr/lib/rabbitmq/bin';

/** What a start may take, milliseconds; it takes some seconds. */
const startLimit = 180_000;

export const isRabbitMqInstalled = existsSync(join(programs, 'rabbitmq-server'));

/** Lines of `rabbitmq.conf` beside those about ports. */
export type Settings = Readonly<Record<string, string>>;

/**
 * A RabbitMQ server of this process's own: node, data and ports apart from any other, on the loopback interface only.
 * Its data outlives `kill` and `start`, and is gone after `dispose`.
 */
export class RabbitMqServer {
  readonly port: number;
  readonly #folder: string;
  readonly #environment: NodeJS.ProcessEnv;
  #portMapper: ChildProcess | undefined;
  #server: ChildProcess | undefined;

  private constructor(folder: string, ports: Ports) {
    this.port = ports.amqp;
    this.#folder = folder;
    this.#environment = {
      PATH: process.env['PATH'],
      // Where Erlang keeps the cookie.
      HOME: folder,
      LANG: 'C.UTF-8',
      ERL_EPMD_ADDRESS: '127.0.0.1',
      ERL_EPMD_PORT: String(ports.portMapper),
      RABBITMQ_NODENAME: `waybill-${ports.amqp}@localhost`,
      RABBITMQ_DIST_PORT: String(ports.distribution),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
      RABBITMQ_MNESIA_BASE: join(folder, 'data'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_PID_FILE: join(folder, 'pid'),
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
      RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    };
  }

  /** Makes its folder and starts it. */
  static async create(settings: Settings = {}): Promise<RabbitMqServer> {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-rabbitmq-'));
    const [amqp, distribution, portMapper] = await freePorts(3);
    const server = new RabbitMqServer(folder, { amqp: amqp!, distribution: distribution!, portMapper: portMapper! });
    await mkdir(join(folder, 'data'));
    await writeFile(join(folder, 'enabled_plugins'), '[].\n');
    const lines = { 'listeners.tcp.1': `127.0.0.1:${amqp}`, 'log.console': 'false', ...settings };
    const conf = Object.entries(lines).map(([name, value]) => `${name} = ${value}\n`);
    await writeFile(join(folder, 'rabbitmq.conf'), conf.join(''));
    try {
      await server.start();
    } catch (error) {
      await server.dispose();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `amqp://127.0.0.1:${this.port}`;
  }

  /** Resolves when it takes connections. Rejects when it ends before, or takes minutes. */
  async start(): Promise<void> {
    const deadline = Date.now() + startLimit;
    // Else the server would leave one behind.
    this.#portMapper ??= spawn('epmd', [], { env: this.#environment, stdio: 'ignore' });
    // A process group of its own, so that nothing of it is left when it is killed.
    this.#server = spawn(join(programs, 'rabbitmq-server'), [], {
      env: this.#environment,
      cwd: this.#folder,
      stdio: 'ignore',
      detached: true,
    });
    for (;;) {
      if (this.#server.exitCode !== null || Date.now() > deadline) throw new Error('RabbitMQ did not start.');
      try {
        await (await connect(this.url)).close();
        return;
      } catch {
        await sleep(100);
      }
    }
  }

  /**
   * SIGKILL. Resolves when it is dead. A server of 3.10 that is killed within half a second of a queue's declaration
   * forgets what the queue held, and no longer elects it a leader; so the list of queues is written to disk before.
   */
  async kill(): Promise<void> {
    await this.control('eval', '[dets:sync(Table) || Table <- dets:all()].');
    await this.#end('SIGKILL');
  }

  /** Ends it in peace and deletes its folder. */
  async dispose(): Promise<void> {
    await this.#end('SIGTERM');
    this.#portMapper?.kill();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 10 });
  }

  /** Runs `rabbitmqctl`, which takes some seconds. */
  async control(...arguments_: readonly string[]): Promise<void> {
    const program = spawn(join(programs, 'rabbitmqctl'), ['-q', ...arguments_], {
      env: this.#environment,
      stdio: 'ignore',
    });
    const code = await new Promise((resolve) => program.once('exit', resolve));
    if (code !== 0) throw new Error(`rabbitmqctl ${arguments_.join(' ')}: exit code ${String(code)}`);
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    process.kill(-server.pid, signal);
    await ended;
    while (await isListening(this.port)) await sleep(20);
  }
}

interface Ports {
  readonly amqp: number;
  readonly distribution: number;
  readonly portMapper: number;
}
