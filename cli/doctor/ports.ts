import { createServer } from 'node:net';
import type { Config } from '@waybill/infra/process/config.js';
import { bad, good, skipped, type Check } from './check.js';

/** Who is at a port: nobody, so that it could be listened at; one of ours; another; or why nobody can listen there. */
export type SeenPort = 'free' | 'ours' | 'stranger' | { readonly fault: string };

const answerWithinMs = 2_000;

/** The ports that processes listen at: free, or one of ours is there. */
export function checkPorts({ host, writePort, readPort, healthPort }: Config): Promise<readonly Check[]> {
  const ports = [
    ['write API', 'WAYBILL_WRITE_PORT', writePort],
    ['read API', 'WAYBILL_READ_PORT', readPort],
    ['health', 'WAYBILL_HEALTH_PORT', healthPort],
  ] as const;
  return Promise.all(
    ports.map(async ([whose, variable, port]) => {
      const name = `port of ${whose}`;
      if (port === undefined) return skipped(name, `${variable} is not set.`);
      if (port === 0) return good(name, 'any that is free');
      return judgePort(name, `${port} of ${host}`, variable, await seePort(host, port, whose));
    }),
  );
}

export function judgePort(name: string, address: string, variable: string, seen: SeenPort): Check {
  switch (seen) {
    case 'free':
      return good(name, `${address}, free`);
    case 'ours':
      return good(name, `${address}, where it answers`);
    case 'stranger':
      return bad(name, `${address} is used by another program.`, `Stop that one, or set ${variable} to another port.`);
    default:
      return bad(
        name,
        `${address}: ${seen.fault}.`,
        `Set WAYBILL_HOST to an address of this machine, or ${variable} to another port.`,
      );
  }
}

async function seePort(host: string, port: number, whose: 'write API' | 'read API' | 'health'): Promise<SeenPort> {
  const fault = await faultOfListening(host, port);
  if (fault === undefined) return 'free';
  if (fault !== 'EADDRINUSE') return { fault };
  return (await isOurs(host, port, whose)) ? 'ours' : 'stranger';
}

function faultOfListening(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** By what an API says of itself; processes without an API answer `/healthz` alone. */
async function isOurs(host: string, port: number, whose: string): Promise<boolean> {
  const reachable = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  const base = `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
  try {
    const path = whose === 'health' ? '/healthz' : '/openapi.json';
    const answer = await fetch(`${base}${path}`, { signal: AbortSignal.timeout(answerWithinMs) });
    const body = (await answer.json()) as { readonly status?: unknown; readonly info?: { readonly title?: unknown } };
    return whose === 'health' ? body.status === 'ok' : body.info?.title === `Waybill ${whose}`;
  } catch {
    return false;
  }
}
