import type { TcpProxy } from '@waybill/infra/testing/tcp-proxy.js';
import { waitUntil } from './wait-until.js';

/** Something is gone for a while. */
export interface Outage {
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
}

/** A server is killed, and started again. */
export function killed(server: { kill(): Promise<void>; start(): Promise<void> }): Outage {
  return { begin: () => server.kill(), end: () => server.start() };
}

/** A line is silent. */
export function silent(line: TcpProxy): Outage {
  return { begin: () => line.stall(), end: () => line.resume() };
}

/** Cuts a line when so many more bytes have gone along it. Resolves when it was. */
export async function cutAfter(bytes: number, line: TcpProxy): Promise<void> {
  const { cuts } = line;
  line.cutAfter(bytes);
  await waitUntil('a connection is cut', () => line.cuts > cuts);
}
