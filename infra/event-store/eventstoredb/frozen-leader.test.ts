import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { freshStream, newEvent } from '@waybill/shared-kernel/testing/new-event.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { freePort } from '../../testing/loopback-port.js';
import { openEventStoreDb, type EventStoreDbEventStore } from './eventstoredb-event-store.js';
import { EventStoreDbProcess } from './testing/server-process.js';

jest.setTimeout(120_000);

const standIn = fileURLToPath(new URL('../../../../bench/stand-in-eventstoredb.mjs', import.meta.url));

/** One of three nodes, a process of its own. */
interface Node {
  readonly port: number;
  readonly process: EventStoreDbProcess;
}

let folder: string;
/** The first leads. */
let nodes: readonly [Node, Node, Node];
let store: EventStoreDbEventStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-three-nodes-'));
  const ports = [await freePort(), await freePort(), await freePort()] as const;
  const options = `--nodes ${ports.join(',')}`;
  const command = `"${process.execPath}" "${standIn}" {port} "${folder}" {options}`;
  const node = (port: number): Node => ({ port, process: new EventStoreDbProcess({ options, command, port }) });
  nodes = [node(ports[0]), node(ports[1]), node(ports[2])];
  await Promise.all(nodes.map((each) => each.process.start()));
});

afterEach(async () => {
  await store.close();
  await Promise.all(nodes.map((each) => each.process.dispose()));
  rmSync(folder, { recursive: true, force: true });
});

async function ask({ port }: Node, path: string, method = 'GET'): Promise<{ state: string; calls: number }> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return (await answer.json()) as { state: string; calls: number };
}

test.each([
  ['first', [0, 1, 2]],
  ['between the others', [1, 0, 2]],
  ['last', [2, 1, 0]],
] as const)('goes on without a leader of three nodes that is stopped by SIGSTOP, named %s', async (place, order) => {
  const [leader, elected, other] = nodes;
  store = openEventStoreDb(`esdb://${order.map((at) => `127.0.0.1:${nodes[at].port}`).join(',')}?tls=false`);
  const stream = freshStream();
  const [first, second, third] = [newEvent(), newEvent(), newEvent()];
  await until(() => store.append(stream, noStream, [first]).then(Boolean, () => false));
  const before = [await ask(elected, '/info'), await ask(other, '/info')];
  leader.process.freeze();
  const frozenAtMs = performance.now();
  await expect(store.append(stream, 0, [second])).rejects.toMatchObject({ kind: 'unavailable' });
  // The others were asked while the leader still was the frozen one for all they knew.
  await until(async () => {
    await store.head().catch(() => undefined);
    const now = [await ask(elected, '/info'), await ask(other, '/info')];
    return now.some(({ calls }, index) => calls > before[index]!.calls);
  });
  expect(await ask(elected, '/admin/lead', 'POST')).toMatchObject({ state: 'leader' });
  const electedAtMs = performance.now();
  await until(() => store.append(stream, 0, [second]).then(Boolean, () => false));
  const answeredAtMs = performance.now();
  expect(await store.append(stream, 1, [third])).toMatchObject({ revision: 2 });
  expect((await store.readStream(stream, 0, 10)).map(({ id }) => id)).toEqual([first.id, second.id, third.id]);
  expect((await store.readAll(0, 10)).events).toHaveLength(3);
  const seconds = (sinceMs: number) => ((answeredAtMs - sinceMs) / 1_000).toFixed(1);
  process.stdout.write(
    `the leader of three, named ${place}: appends again ${seconds(frozenAtMs)} s after it was stopped, ` +
      `${seconds(electedAtMs)} s after another led\n`,
  );
});
