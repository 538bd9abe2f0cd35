import { EventStoreDBClient, type Credentials } from '@eventstore/db-client';
import { asError } from '@waybill/shared-kernel/as-error.js';
import { BadConfiguration } from '@waybill/shared-kernel/errors.js';

export interface Connection {
  readonly client: EventStoreDBClient;
  readonly credentials: Credentials;
}

/**
 * A client for `esdb://…` or `esdb+discover://…`, or the same under their newer name `kurrentdb`; it connects when it
 * is first used. Throws `BadConfiguration`.
 *
 * Its credentials are to be given with every append. Without them appends go through a stream shared by all, whose
 * pending ones are in one table for the whole module: when any client of the process loses its connection, all are
 * rejected, and the reply that comes after all is a TypeError that ends the process. With them each append is a call
 * of its own (about half as quick one by one, two thirds with 32 in flight). A server without TLS has no users; the
 * client takes what it is given and does not send it.
 */
export function connectionTo(connectionString: string): Connection {
  if (/[?&]throwOnAppendFailure=/i.test(connectionString)) {
    // With `false` it answers that the next revision is 1, whatever is true.
    throw new BadConfiguration('The connection string of EventStoreDB may not set throwOnAppendFailure.');
  }
  const credentials = credentialsIn(connectionString);
  try {
    return {
      client: EventStoreDBClient.connectionString(connectionString.replace(/^kurrentdb\b/, 'esdb')),
      credentials,
    };
  } catch (error) {
    const why = asError(error).message;
    throw new BadConfiguration(`The connection string of EventStoreDB cannot be used: ${why}`, { cause: error });
  }
}

function credentialsIn(connectionString: string): Credentials {
  const [, username, password] = /^[^:]+:\/\/([^:/?@]+):([^@]+)@/.exec(connectionString) ?? [];
  if (username !== undefined && password !== undefined) {
    return { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  }
  if (/[?&]tls=false(&|$)/i.test(connectionString)) return { username: 'nobody', password: 'nobody' };
  throw new BadConfiguration(
    'The connection string of EventStoreDB names no user: esdb://<user>:<password>@<host>:2113, or ?tls=false.',
  );
}
