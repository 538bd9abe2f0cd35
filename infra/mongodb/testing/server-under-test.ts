import { randomUUID } from 'node:crypto';
import { describe } from '@jest/globals';
import { MongoClient } from 'mongodb';

/** Where the tests find a MongoDB server, `mongodb://…`; without one they are skipped, and the run says so. */
export const mongoDbUrl = process.env['WAYBILL_TEST_MONGODB'] ?? '';

/** `describe` where there is a server. */
export const describeWithServer: typeof describe.skip = mongoDbUrl === '' ? describe.skip : describe;

/** A database that no other test uses, whatever else is on the server. */
export class ScratchDatabase {
  readonly name = `waybill-test-${randomUUID().slice(0, 8)}`;
  readonly #server: string;

  constructor(server = mongoDbUrl) {
    this.#server = server;
  }

  get url(): string {
    return this.#at(this.#server);
  }

  /** The same through a proxy, to the one server that is there. */
  urlThrough(proxyPort: number): string {
    const url = new URL(this.#server);
    url.hostname = '127.0.0.1';
    url.port = String(proxyPort);
    url.searchParams.set('directConnection', 'true');
    return this.#at(url.href);
  }

  async dispose(): Promise<void> {
    if (this.#server === '') return;
    const client = new MongoClient(this.url);
    try {
      await client.db(this.name).dropDatabase();
    } finally {
      await client.close();
    }
  }

  #at(server: string): string {
    const url = new URL(server === '' ? 'mongodb://none' : server);
    url.pathname = `/${this.name}`;
    return url.href;
  }
}

/** The server's address, for a proxy. */
export function serverAddress(): { host: string; port: number } {
  const { hostname, port } = new URL(mongoDbUrl);
  return { host: hostname, port: Number(port || 27017) };
}
