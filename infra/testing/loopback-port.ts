import { randomInt } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';

/**
 * Below those that connections are given. One of those could be taken by any connection before its server is there,
 * even by the one that looks whether it is: a connection to itself.
 */
const [lowest, beyond] = [12_000, 32_000];

/** Loopback ports on which nobody listens, each another. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const taken: { readonly port: number; readonly server: Server }[] = [];
  while (taken.length < count) {
    const port = randomInt(lowest, beyond);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (isFree) taken.push({ port, server });
  }
  await Promise.all(taken.map(({ server }) => new Promise((resolve) => server.close(resolve))));
  return taken.map(({ port }) => port);
}

/** One of them. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}

/** Whether somebody takes connections there. */
export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
