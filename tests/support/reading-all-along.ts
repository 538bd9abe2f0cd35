import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { post } from './write-client.js';

/** Of each client between two requests. Milliseconds. */
const pace = 10;

interface Apis {
  readonly writeUrl: string;
  readonly readUrls: readonly string[];
}

interface Order {
  readonly orderId: string;
  readonly revision: number;
  readonly placedAt: string;
}

/**
 * Clients that place orders and read them back at once with their Consistency-Token, and others that read orders and
 * lists all the time, without one, now at this read API and now at that. Notes each answer that is not as it must be,
 * and each that is older than one which anybody had had before it was asked for.
 */
export class ReadingAllAlong {
  readonly faults: string[] = [];
  #placed = 0;
  #reads = 0;
  #isOver = false;
  readonly #apis: Apis;
  readonly #token: string;
  readonly #order: object;
  /** Orders that were shown → the highest revision of each. */
  readonly #shown = new Map<string, number>();
  /** The latest that was listed, when it was placed. */
  #latest = '';
  readonly #clients: Promise<unknown>;

  /** `order`: the body of the command that places one. `token`: of an operator. */
  constructor(apis: Apis, token: string, order: object) {
    this.#apis = apis;
    this.#token = token;
    this.#order = order;
    const clients = apis.readUrls.flatMap((url) => [
      this.#work(() => this.#placeAndRead(url)),
      this.#work(() => this.#readWhatWasShown()),
    ]);
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
    await this.#readOrder(readUrl, orderId, consistency);
    const list = await this.#readOrders(readUrl, 100, consistency);
    if (list?.some((order) => order.orderId === orderId) === false) {
      this.faults.push(`${orderId} is not in the list that its token asked for`);
    }
    this.#placed += 1;
  }

  async #readWhatWasShown(): Promise<void> {
    const { readUrls } = this.#apis;
    const url = readUrls[Math.floor(Math.random() * readUrls.length)]!;
    // The latest are those that a version may lack.
    const orderId = Array.from(this.#shown.keys()).at(-1 - Math.floor(Math.random() * 3));
    if (orderId !== undefined) await this.#readOrder(url, orderId);
    await this.#readOrders(url, 20);
    await this.#read(url, '/v1/products');
    this.#reads += 1;
  }

  async #readOrder(url: string, orderId: string, headers?: Readonly<Record<string, string>>): Promise<void> {
    const before = this.#shown.get(orderId) ?? 0;
    const text = await this.#read(url, `/v1/orders/${orderId}`, headers);
    if (text === undefined) return;
    const { revision } = JSON.parse(text) as Order;
    if (revision < before) this.faults.push(`${orderId} went back from revision ${before} to ${revision}`);
    this.#show(orderId, revision);
  }

  async #readOrders(
    url: string,
    limit: number,
    headers?: Readonly<Record<string, string>>,
  ): Promise<readonly Order[] | undefined> {
    const before = this.#latest;
    const shown = new Map(this.#shown);
    const text = await this.#read(url, `/v1/orders?limit=${limit}`, headers);
    if (text === undefined) return undefined;
    const { items } = JSON.parse(text) as { readonly items: readonly Order[] };
    const latest = items[0]?.placedAt ?? '';
    if (latest < before) this.faults.push(`the list went back from ${before} to ${latest}`);
    if (latest > this.#latest) this.#latest = latest;
    for (const { orderId, revision } of items) {
      if (revision < (shown.get(orderId) ?? 0)) {
        this.faults.push(`${orderId} went back from revision ${shown.get(orderId)} to ${revision} in the list`);
      }
      this.#show(orderId, revision);
    }
    return items;
  }

  #show(orderId: string, revision: number): void {
    this.#shown.set(orderId, Math.max(revision, this.#shown.get(orderId) ?? 0));
  }

  async #read(url: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<string | undefined> {
    const response = await fetch(url + path, { headers: { authorization: `Bearer ${this.#token}`, ...headers } });
    const text = await response.text();
    if (response.status === 200) return text;
    this.faults.push(`${path}: ${response.status} ${text}`);
    return undefined;
  }
}
