import { connectionTo, type Connection } from './connection.js';

/**
 * The nodes that a connection string names, and the connection to one of them that is in use. One that does not lead
 * says which does, and the client goes on there. Which node it talks to in the end it does not say, so when no answer
 * comes the next one that is named is asked, in a connection of its own: the client's own way of finding nodes waits
 * for a frozen one for seconds, and again each time.
 */
export class Nodes {
  readonly #connectionStrings: readonly string[];
  #inUse = 0;
  #connection: Connection;
  #leaving = new AbortController();

  /** Throws `BadConfiguration`. */
  constructor(connectionString: string) {
    // Before it is taken apart, so that what is wrong with it is said of all of it.
    const whole = connectionTo(connectionString);
    this.#connectionStrings = oneByOne(connectionString);
    this.#connection = this.#connectionStrings.length === 1 ? whole : this.#connect();
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Aborts when the connection in use is left. */
  get left(): AbortSignal {
    return this.#leaving.signal;
  }

  get areSeveral(): boolean {
    return this.#connectionStrings.length > 1;
  }

  /**
   * Leaves a connection, unless it was left already, for the next node. What is under way on it is left alone: a read
   * that the client is asked to end looks like one that found nothing.
   */
  leave(connection: Connection): void {
    if (connection !== this.#connection) return;
    this.#inUse = (this.#inUse + 1) % this.#connectionStrings.length;
    this.#connection = this.#connect();
    this.#leaving.abort();
    this.#leaving = new AbortController();
  }

  async close(): Promise<void> {
    await this.#connection.client.dispose();
  }

  #connect(): Connection {
    return connectionTo(this.#connectionStrings[this.#inUse]!);
  }
}

/**
 * A connection string for each host that is named. One that names a cluster by DNS stays as it is, but that it does not
 * wait for the gossip of a node for longer than 1 s.
 */
function oneByOne(connectionString: string): readonly string[] {
  const [, scheme = '', user = '', hosts = '', rest = ''] =
    /^([^:]+:\/\/)([^@]*@)?([^/?]*)(.*)$/s.exec(connectionString) ?? [];
  if (!scheme.includes('+discover:')) return hosts.split(',').map((host) => `${scheme}${user}${host}${rest}`);
  if (/[?&]gossipTimeout=/i.test(rest)) return [connectionString];
  return [`${connectionString}${rest.includes('?') ? '&' : '?'}gossipTimeout=1`];
}
