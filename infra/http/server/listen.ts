import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { BadConfiguration } from '@waybill/shared-kernel/errors.js';
import type { Messages } from './messages.js';
import { answerUnreadable } from './unreadable-request.js';

/** What answers requests, and what they are made as, where that matters to it. */
export type Api = RequestListener & { readonly messages?: Messages };

export interface Listening {
  /** The one it got, also where 0 was asked for. */
  readonly port: number;
  /** `http://host:port`. */
  readonly url: string;
  /** Takes no new connection, lets requests under way end for some seconds, and closes idle connections at once. */
  close(): Promise<void>;
}

export interface Address {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** The variable that sets it, for messages. */
  readonly portVariable: string;
  /** For how long requests under way may go on when it is closed; 6,000 unless said otherwise. */
  readonly lingerMs?: number;
}

/** What to do about each fault of listening that a person can mend. */
function reason(code: string | undefined, address: Address): string | undefined {
  const { host, port, portVariable } = address;
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} of ${host} is in use by another program: stop that one or set ${portVariable} to a free port.`;
    case 'EACCES':
      return `Port ${port} of ${host} may not be opened by this user: set ${portVariable} to a port from 1024 on.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is no address of this machine: set WAYBILL_HOST to one that is, such as 127.0.0.1.`;
    default:
      return undefined;
  }
}

/** Milliseconds, and bytes: of all headers together, the longest of which is a token. */
const limits = {
  requestTimeout: 30_000,
  headersTimeout: 15_000,
  keepAliveTimeout: 60_000,
  maxHeaderSize: 16 * 1024,
} as const;

/** Serves an API. Throws `BadConfiguration` when the port or host cannot be had. */
export function listen(api: Api, address: Address): Promise<Listening> {
  const server = createServer({ ...limits, ...api.messages }, api);
  answerUnreadable(server);
  let closing = false;
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  // `close` ends the idle connections; one that was busy then would idle on for as long as it is kept alive.
  server.on('request', (_request, response) => {
    response.once('close', () => {
      if (closing) server.closeIdleConnections();
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const sentence = reason(error.code, address);
      reject(sentence === undefined ? error : new BadConfiguration(sentence, { cause: error }));
    });
    server.listen(address.port, address.host, () => {
      const { port } = server.address() as AddressInfo;
      const host = address.host.includes(':') ? `[${address.host}]` : address.host;
      resolve({
        port,
        url: `http://${host}:${port}`,
        close: () =>
          new Promise((closed, failed) => {
            closing = true;
            // What clients open ahead of need is not idle to Node, which would wait for it.
            for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
            // A slow download must not keep a process from stopping cleanly.
            const late = setTimeout(() => server.closeAllConnections(), address.lingerMs ?? 6_000);
            server.close((error) => {
              clearTimeout(late);
              if (error === undefined) closed();
              else failed(error);
            });
          }),
      });
    });
  });
}
