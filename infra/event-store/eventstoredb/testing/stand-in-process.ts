import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { StandInLog, type StandInRecord } from './stand-in-log.js';
import { StandInServer } from './stand-in-server.js';

/** A record on a line of the file: what JSON has no word for, as text. */
type Line = Omit<StandInRecord, 'revision' | 'metadata' | 'data'> &
  Readonly<Record<'revision' | 'metadata' | 'data', string>>;

/** In the folder, where there are several nodes: the port of the one that leads. */
const leaderFile = 'leader';

/**
 * A stand-in that is started like a server: it listens at a port, keeps its log in a folder, so that what it acknowledged
 * survives SIGKILL, answers `GET /info` and `POST /admin/scavenge` there as well, and is ended by its process ending.
 * `ports`: of all nodes, where it is one of several, which share the folder. The first leads until another is told to by
 * `POST /admin/lead`, as by an election; it has what the one before had stored.
 */
export async function runStandIn(port: number, folder: string, ports: readonly number[] = [port]): Promise<void> {
  const file = join(folder, 'log.jsonl');
  const leader = join(folder, leaderFile);
  const leaderPort = (): number => (existsSync(leader) ? Number(readFileSync(leader, 'utf8')) : ports[0]!);
  const log = new StandInLog();
  const load = (): void => {
    if (existsSync(file)) log.load(recordsIn(readFileSync(file, 'utf8')).slice(log.size));
  };
  if (leaderPort() === port) load();
  log.listen((record) => appendFileSync(file, lineOf(record)));
  const standIn = await StandInServer.listen(log, { port, ports, leaderPort });
  const ask = (method: string, path: string): unknown => {
    if (method === 'POST' && path === '/admin/scavenge') {
      standIn.scavenge();
      writeFileSync(file, log.records.map(lineOf).join(''));
    } else if (method === 'POST' && path === '/admin/lead') {
      load();
      writeFileSync(leader, String(port));
    } else if (path !== '/info') return undefined;
    const state = leaderPort() === port ? 'leader' : 'follower';
    return { esVersion: '23.10.8', state, calls: standIn.calls };
  };
  const front = createServer((socket) => divert(socket, standIn.port, ask));
  await listening(front, port);
}

/** HTTP/1 is answered here, by `ask`; everything else is gRPC, which goes to the stand-in. */
function divert(socket: Socket, port: number, ask: (method: string, path: string) => unknown): void {
  socket.on('error', () => socket.destroy());
  socket.once('data', (first) => {
    const [method = '', path = ''] = first.toString('latin1').split(' ');
    if (method === 'PRI') {
      const behind = connect({ host: '127.0.0.1', port, noDelay: true });
      behind.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('close', () => behind.destroy());
      behind.write(first);
      socket.setNoDelay(true).pipe(behind).pipe(socket);
      return;
    }
    const answer = ask(method, path);
    const body = JSON.stringify(answer ?? {});
    socket.end(
      `HTTP/1.1 ${answer === undefined ? '404 Not Found' : '200 OK'}\r\ncontent-type: application/json\r\n` +
        `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    );
  });
}

function lineOf(record: StandInRecord): string {
  const [metadata, data] = [record.metadata, record.data].map((bytes) => Buffer.from(bytes).toString('base64'));
  return `${JSON.stringify({ ...record, revision: String(record.revision), metadata, data })}\n`;
}

/** The last line may have been cut off: it was not acknowledged. */
function recordsIn(text: string): readonly StandInRecord[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => {
    const { revision, metadata, data, ...rest } = JSON.parse(line) as Line;
    const [metadataBytes, dataBytes] = [Buffer.from(metadata, 'base64'), Buffer.from(data, 'base64')];
    return { ...rest, revision: BigInt(revision), metadata: metadataBytes, data: dataBytes };
  });
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve());
  });
}
