import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { operatorToken, runCommandLineHere } from './command-line.js';
import { startServer, type Server } from './server.js';
import { post } from './write-client.js';

/** A server on a folder of its own that sells tea to Ann, and the command line beside it. */
export class TeaShop {
  readonly folder: string;
  readonly server: Server;
  /** Of an operator and merchant. */
  readonly token: string;
  #commands = 0;

  private constructor(folder: string, server: Server, token: string) {
    this.folder = folder;
    this.server = server;
    this.token = token;
  }

  /** `stock`: of the tea; not counted unless it is given. */
  static async open(name: string, tea: { readonly stock?: number } = {}): Promise<TeaShop> {
    const folder = await mkdtemp(join(tmpdir(), `waybill-${name}-`));
    const server = await startServer(folder);
    const shop = new TeaShop(folder, server, await operatorToken(folder));
    const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
    const price = { unitPrice: { amount: 900, currency: 'EUR' } };
    await shop.#command('/v1/products', { productId: 'tea', name: 'Green Tea', ...price, ...tea });
    await shop.#command('/v1/customers', { customerId: 'ann', name: 'Ann', phone: '+49 30 1', address });
    return shop;
  }

  place(orderId: string, paymentToken = 'tok_approve'): Promise<void> {
    const lines = [{ productId: 'tea', quantity: 2 }];
    return this.#command('/v1/orders', { orderId, customerId: 'ann', lines, payment: { token: paymentToken } });
  }

  async read<Body>(path: string): Promise<Body> {
    const headers = { authorization: `Bearer ${this.token}` };
    return (await (await fetch(this.server.readUrl + path, { headers })).json()) as Body;
  }

  /** A verb of the command line, which answers with JSON. */
  async waybill<Body>(...words: readonly string[]): Promise<{ readonly exitCode: number | null; readonly body: Body }> {
    const { exitCode, stdout } = await runCommandLineHere(this.folder, [...words, '--json']);
    return { exitCode, body: JSON.parse(stdout) as Body };
  }

  async close(): Promise<void> {
    await this.server.stop('SIGKILL');
    await rm(this.folder, { recursive: true, force: true });
  }

  async #command(path: string, body: object): Promise<void> {
    this.#commands += 1;
    expect((await post(this.server.writeUrl, path, this.token, `key-${this.#commands}`, body)).status).toBe(201);
  }
}
