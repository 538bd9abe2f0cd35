import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fulfilmentCategories, fulfilmentConsumer } from '@waybill/command-side/fulfilment/run-fulfilment.js';
import { systemClock } from '@waybill/infra/clock/system.js';
import { type Config, readConfig } from '@waybill/infra/process/config.js';
import { openEventStore, openReadStore } from '@waybill/infra/process/engines.js';
import { projections } from '@waybill/projections/read-models/projections.js';
import { isPassed, takenBy } from '@waybill/projections/testing/applied.js';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { partitionCount } from '@waybill/shared-kernel/partitions/partition.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import type { ReadStore } from '@waybill/shared-kernel/ports/read-store.js';
import { runCommandLine } from './command-line.js';
import { readOnceAndClose } from './log.js';
import { areAllAnswered, bookedIn, unbalanced } from './money.js';
import { PartProcess, type PartName, type ProcessName } from './part-process.js';
import { waitUntil } from './wait-until.js';

export interface Engines {
  /** `undefined`: a log in the data folder, which the processes share. */
  readonly eventStore?: string | undefined;
  readonly broker: string;
  readonly readStore: string;
}

/** Waybill as processes of its own on servers, with a data folder of its own. */
export class Deployment {
  readonly environment: Readonly<Record<string, string>>;
  readonly config: Config;
  readonly #dataFolder: string;
  readonly #parts: PartProcess[] = [];
  readonly #begunAt = timestamp(systemClock);

  private constructor(
    dataFolder: string,
    { eventStore, broker, readStore }: Engines,
    more: Readonly<Record<string, string>>,
  ) {
    this.#dataFolder = dataFolder;
    this.environment = {
      WAYBILL_DATA: dataFolder,
      WAYBILL_EVENT_STORE: eventStore ?? 'sqlite:',
      WAYBILL_BROKER: broker,
      WAYBILL_READ_STORE: readStore,
      WAYBILL_WRITE_PORT: '0',
      WAYBILL_READ_PORT: '0',
      ...more,
    };
    this.config = readConfig(this.environment);
  }

  /** `more`: what its processes find in their environment besides. */
  static async create(engines: Engines, more: Readonly<Record<string, string>> = {}): Promise<Deployment> {
    return new Deployment(await mkdtemp(join(tmpdir(), 'waybill-deployment-')), engines, more);
  }

  /** Starts one more of a part. `more`: what it finds in its environment besides. */
  async start(name: ProcessName, more: Readonly<Record<string, string>> = {}): Promise<PartProcess> {
    const part = await PartProcess.start(name, { ...this.environment, ...more });
    this.#parts.push(part);
    return part;
  }

  async startAll(names: readonly PartName[]): Promise<void> {
    await Promise.all(names.map((name) => this.start(name)));
  }

  /** Those of a name that run, oldest first. */
  running(name: ProcessName): readonly PartProcess[] {
    return this.#parts.filter((part) => part.name === name && part.isRunning);
  }

  /** The oldest of a name that runs. */
  the(name: ProcessName): PartProcess {
    const [part] = this.running(name);
    if (part === undefined) throw new Error(`No ${name} runs.`);
    return part;
  }

  /** Runs `waybill`; what it prints with `--json`. Throws when it does not exit with 0. */
  async waybill<T>(...words: readonly string[]): Promise<T> {
    return JSON.parse(await this.print(...words, '--json')) as T;
  }

  /** Runs `waybill`; what it prints. Throws when it does not exit with 0. */
  async print(...words: readonly string[]): Promise<string> {
    const environment = { ...this.environment, ...this.#ports() };
    const { exitCode, stdout, stderr } = await runCommandLine(this.#dataFolder, words, environment);
    if (exitCode === 0) return stdout;
    throw new Error(`waybill ${words.join(' ')} ended with ${String(exitCode)}:\n${stderr}${stdout.slice(0, 2000)}`);
  }

  /** A token for everything. */
  async token(subject: string): Promise<string> {
    const roles = ['operator', 'merchant'].flatMap((role) => ['--role', role]);
    return (await this.print('token', ...roles, '--sub', subject)).trim();
  }

  /** Every event of the log, in position order. */
  log(): Promise<RecordedEvent[]> {
    return readOnceAndClose(openEventStore(this.config, { clock: systemClock }));
  }

  /** The read store, reached as the processes reach it unless another address is given. */
  openReadStore(url?: string): ReadStore {
    return openReadStore(url === undefined ? this.config : { ...this.config, readStore: { kind: 'mongodb', url } });
  }

  /**
   * Waits until everything that is in the log has been projected and fulfilled, what fulfilment added and payments
   * answered included. Resolves with the log.
   */
  async settled(): Promise<readonly RecordedEvent[]> {
    const readStore = this.openReadStore();
    try {
      return await waitUntil('everything in the log is projected and fulfilled', async () => {
        const events = await this.log();
        if (!areAllAnswered(this.#own(events)) || !(await isAtEnd(readStore, events))) return false;
        // Fulfilment may have added to it before it came to the end.
        return (await this.log()).length === events.length && events;
      });
    } finally {
      await readStore.close();
    }
  }

  /**
   * Orders of these events, placed with this deployment, of which the simulated gateway holds or has taken anything else
   * than it ought to.
   */
  async unbalanced(events: readonly RecordedEvent[]): Promise<ReturnType<typeof unbalanced>> {
    return unbalanced(this.#own(events), await bookedIn(this.#dataFolder));
  }

  /** A log that outlives deployments has orders whose payments are in the books of another. */
  #own(events: readonly RecordedEvent[]): readonly RecordedEvent[] {
    const placed = events.filter(({ type, recordedAt }) => type === 'OrderPlaced' && recordedAt >= this.#begunAt);
    const orders = new Set(placed.map(({ partitionKey }) => partitionKey));
    return events.filter(({ partitionKey }) => orders.has(partitionKey));
  }

  /** Where the APIs that run are to be found. */
  #ports(): Record<string, string> {
    const ports: Record<string, string> = {};
    for (const [name, variable] of [
      ['write-api', 'WAYBILL_WRITE_PORT'],
      ['read-api', 'WAYBILL_READ_PORT'],
    ] as const) {
      const [part] = this.running(name);
      if (part !== undefined) ports[variable] = new URL(part.url).port;
    }
    return ports;
  }

  /** What the processes printed last, for a test that failed. */
  report(): string {
    return this.#parts.map(({ name, output }) => `--- ${name}\n${output.slice(-3000)}`).join('\n');
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.kill()));
    await rm(this.#dataFolder, { recursive: true, force: true });
  }
}

/** Does something with a deployment; where it fails, what its processes printed is told as well. */
export async function reporting(deployment: Deployment, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    process.stderr.write(`${deployment.report()}\n`);
    throw error;
  }
}

async function isAtEnd(readStore: ReadStore, events: readonly RecordedEvent[]): Promise<boolean> {
  for (const projection of projections) {
    const positions = await readStore.positions(projection.collection);
    if (!takenBy(projection, events).every((event) => isPassed(event, positions))) return false;
  }
  const positions = await Promise.all(
    Array.from({ length: partitionCount }, (_, partition) => readStore.consumerPosition(fulfilmentConsumer, partition)),
  );
  return takenBy({ categories: fulfilmentCategories }, events).every((event) => isPassed(event, positions));
}
