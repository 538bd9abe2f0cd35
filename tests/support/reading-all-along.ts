import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { post } from './write-client.js';

/** Of each client between two requests. Milliseconds. */
const pace = 10;

interface Apis {
  readonly writeUrl: string;
  readonly readUrls: readonly string[];
}

/**
 * Clients that place orders and read them back at once with their Consistency-Token, and others that read orders and
 * lists all the time, at every read API. Notes each answer that is not as it must be.
 */
export class ReadingAllAlong {
  readonly faults: string[] = [];
  #placed = 0;
  #reads = 0;
  #isOver = false;
  readonly #apis: Apis;
  readonly #token: string;
  readonly #order: object;
  /** Read API → orders that it has shown. */
  readonly #shown: ReadonlyMap<string, string[]>;
  readonly #clients: Promise<unknown>;

  /** `order`: the body of the command that places one. `token`: of an operator. */
  constructor(apis: Apis, token: string, order: object) {
    this.#apis = apis;
    this.#token = token;
    this.#order = order;
    this.#shown = new Map(apis.readUrls.map((url) => [url, []]));
    const clients = apis.readUrls.flatMap((url) => [this.#work(() => this.#placeAndRead(url)), this.#readOn(url)]);
    this.#clients = Promise.all(clients);
    // Told by `stop`.
    this.#clients.catch(() => undefined);
  }

  /** Orders that were placed and read back, and answers that were read besides. */
  get counts(): { readonly placed: number; readonly reads: number } {
    return { placed: this.#placed, reads: this.#reads };
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#clients;
  }

  async #work(step: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      await step();
      await sleep(pace);
    }
  }

  async #placeAndRead(readUrl: string): Promise<void> {
    const placed = await post(this.#apis.writeUrl, '/v1/orders', this.#token, randomUUID(), this.#order);
    if (placed.status !== 201) {
      this.faults.push(`placing: ${placed.status} ${placed.text}`);
      return;
    }
    const { orderId } = JSON.parse(placed.text) as { orderId: string };
    const consistency = {
      'consistency-token': placed.headers.get('consistency-token') ?? '',
      prefer: 'wait=10',
    };
    await this.#read(readUrl, `/v1/orders/${orderId}`, consistency);
    const list = await this.#read(readUrl, '/v1/orders?limit=100', consistency);
    if (list?.includes(orderId) === false) this.faults.push(`${orderId} is not in the list that its token asked for`);
    this.#shown.get(readUrl)!.push(orderId);
    this.#placed += 1;
  }

  /**
   * What an API has shown is there later too. Without a token a version just switched to may be a moment behind: then
   * a second look, with patience, has it.
   */
  async #readOn(url: string): Promise<void> {
    const shown = this.#shown.get(url)!;
    await this.#work(async () => {
      const orderId = shown[Math.floor(Math.random() * shown.length)];
      if (orderId !== undefined) await this.#readAgain(url, `/v1/orders/${orderId}`);
      await this.#read(url, '/v1/orders?limit=20');
      await this.#read(url, '/v1/products');
      this.#reads += 1;
    });
  }

  async #readAgain(url: string, path: string): Promise<void> {
    const headers = { authorization: `Bearer ${this.#token}` };
    const response = await fetch(url + path, { headers });
    await response.text();
    if (response.status === 200) return;
    await sleep(1000);
    await this.#read(url, path);
  }

  async #read(url: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<string | undefined> {
    const response = await fetch(url + path, { headers: { authorization: `Bearer ${this.#token}`, ...headers } });
    const text = await response.text();
    if (response.status === 200) return text;
    this.faults.push(`${path}: ${response.status} ${text}`);
    return undefined;
  }
}
