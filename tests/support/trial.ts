import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import type { RecordedEvent } from '@waybill/shared-kernel/message.js';
import { Deployment, type Engines, reporting } from './deployment.js';
import type { Outage } from './outage.js';
import { partNames } from './part-process.js';
import { SentCommands } from './sent-commands.js';
import { SteadyLoad } from './steady-load.js';
import { waitUntil } from './wait-until.js';
import { type Answer, post } from './write-client.js';

/** Commands that are answered before a fault, while it lasts, and after it. */
export const some = 20;

/** What an answer of the read API says. */
interface Reading {
  readonly status: number;
  readonly retryAfter: number;
  /** Milliseconds; of an answer that is no refusal. */
  readonly lag: number | undefined;
}

/** One of each process, customers who keep ordering, and faults that must do no harm. */
export class Trial {
  readonly deployment: Deployment;
  readonly #commands: SentCommands;
  readonly #token: string;

  private constructor(deployment: Deployment, commands: SentCommands, token: string) {
    this.deployment = deployment;
    this.#commands = commands;
    this.#token = token;
  }

  static async begin(engines: Engines): Promise<Trial> {
    const deployment = await Deployment.create(engines);
    try {
      const caller = `shop-${randomUUID().slice(0, 8)}`;
      const token = await deployment.token(caller);
      const commands = new SentCommands(caller, token);
      await deployment.startAll(partNames);
      await commands.setTheTable(deployment.the('write-api').url);
      return new Trial(deployment, commands, token);
    } catch (error) {
      await deployment.dispose();
      throw error;
    }
  }

  /** Has something happen while commands come in before, during and after; then everything must be right. */
  underLoad(fault: (load: SteadyLoad) => Promise<void>): Promise<void> {
    return reporting(this.deployment, async () => {
      const load = new SteadyLoad(this.#commands, () => this.deployment.running('write-api')[0]?.url);
      try {
        await load.answered(some);
        await fault(load);
        await load.answered(some);
      } finally {
        await load.stop();
      }
      await this.#everythingIsRight();
    });
  }

  /** The same while something is gone. It comes back whatever was found meanwhile. */
  underLoadWithout(outage: Outage, meanwhile: (load: SteadyLoad) => Promise<void>): Promise<void> {
    return this.underLoad(async (load) => {
      await outage.begin();
      try {
        await meanwhile(load);
      } finally {
        await outage.end();
      }
    });
  }

  /** The read API goes on, and says that what it shows grows older. */
  async readsGrowStale(): Promise<void> {
    const lag = async (): Promise<number> => {
      const reading = await this.#readList();
      expect(reading.status).toBe(200);
      return reading.lag ?? 0;
    };
    const first = await waitUntil('reads say that they lag behind', async () => (await lag()) || false);
    await waitUntil('they lag behind further', async () => (await lag()) > first);
  }

  /** The read API says that it cannot answer, and when to come again. */
  async readsAreRefused(): Promise<void> {
    await refused('reads', () => this.#readList());
  }

  /** The write API says that it cannot answer, and when to come again. */
  async commandsAreRefused(): Promise<void> {
    const key = randomUUID();
    await refused('commands', async () => {
      const { status, headers }: Answer = await post(
        this.deployment.the('write-api').url,
        '/v1/products/none/stock',
        this.#token,
        key,
        { change: 1 },
      );
      return { status, retryAfter: Number(headers.get('retry-after')) };
    });
  }

  /** How many commands there were. */
  summary(): string {
    const { attempted, acknowledged } = this.#commands.compare([]);
    return `${attempted} commands, ${acknowledged} acknowledged`;
  }

  /** Everything acknowledged is in the log, once; what follows from it too; and the read models show it. */
  async #everythingIsRight(): Promise<void> {
    const events = await this.deployment.settled();
    const { lost, doubled, unexpected } = this.#commands.compare(events);
    expect({ lost, doubled, unexpected }).toEqual({ lost: [], doubled: [], unexpected: [] });
    const [placed, confirmed, cancelled, scheduled] = [
      keysOf(events, 'OrderPlaced'),
      keysOf(events, 'OrderConfirmed'),
      keysOf(events, 'OrderCancelled'),
      keysOf(events, 'DeliveryScheduled'),
    ];
    for (const keys of [placed, confirmed, cancelled, scheduled]) expect(new Set(keys).size).toBe(keys.length);
    expect(new Set([...confirmed, ...cancelled])).toEqual(new Set(placed));
    expect(await this.deployment.unbalanced(events)).toEqual([]);
    const report = await this.deployment.waybill<{ documents: number }>('audit', 'verify');
    expect(report).toMatchObject({ ok: true, events: events.length, differences: [] });
    expect(report.documents).toBeGreaterThanOrEqual(placed.length + scheduled.length);
  }

  async #readList(): Promise<Reading> {
    const { url } = this.deployment.the('read-api');
    const response = await fetch(`${url}/v1/orders?limit=1`, { headers: { authorization: `Bearer ${this.#token}` } });
    const body = (await response.json()) as { freshness?: { lagMs: number } };
    const retryAfter = Number(response.headers.get('retry-after'));
    return { status: response.status, retryAfter, lag: body.freshness?.lagMs };
  }
}

/** Asks until it is refused for now. Says how long that took, which is for people to judge: machines differ. */
async function refused(what: string, ask: () => Promise<Pick<Reading, 'status' | 'retryAfter'>>): Promise<void> {
  const { status, retryAfter, took } = await waitUntil(`${what} are refused`, async () => {
    const begun = performance.now();
    const answer = await ask();
    return answer.status >= 500 && { ...answer, took: performance.now() - begun };
  });
  expect(status).toBe(503);
  expect(retryAfter).toBeGreaterThan(0);
  process.stdout.write(`${what} are refused after ${Math.round(took)} ms\n`);
}

/** Of the orders that an event of a type is about, as often as there is one. */
function keysOf(events: readonly RecordedEvent[], type: string): readonly string[] {
  return events.filter((event) => event.type === type).map(({ partitionKey }) => partitionKey);
}
