import { describe, test } from '@jest/globals';
import { EventStoreDbProcess, startCommand } from './server-process.js';
import { StandInServer, type Loss } from './stand-in-server.js';

/** Where the tests find an EventStoreDB that others may use too, `esdb://…`. */
export const esdbUrl = process.env['WAYBILL_TEST_ESDB'] ?? '';

export interface RunningServer {
  readonly url: string;
  /** Ends it as a crash does. */
  readonly kill: () => Promise<void>;
  /** Starts it again, with what it had. */
  readonly restart: () => Promise<void>;
  readonly dispose: () => Promise<void>;
  /** Keeps what it has now; gives what puts that back, as a backup is restored: it is down meanwhile. */
  readonly save: () => Promise<() => Promise<void>>;
  /** Takes out of the log what was truncated or deleted, where that is in files that are full. May go on afterwards. */
  readonly scavenge: () => Promise<void>;
  /** Of the stand-in alone. */
  readonly loseNext?: (what: Loss) => void;
}

export interface ServerUnderTest {
  readonly name: string;
  /** It is only named: what it holds stays, tests use streams of their own, and what destroys is left out. */
  readonly isShared: boolean;
  /**
   * For each suite a server of its own, unless it is shared. `options`: what the suite wants of it besides, as arguments of
   * the server, such as `--chunk-size 1048576`; the stand-in needs none.
   */
  readonly start: (options?: string) => Promise<RunningServer>;
}

export const standIn: ServerUnderTest = {
  name: 'a stand-in for the server',
  isShared: false,
  start: async () => {
    const server = await StandInServer.listen();
    server.write('$stats-127.0.0.1:2113', '$statsCollected', 2_500);
    const kill = async (): Promise<void> => server.kill();
    const loseNext = (what: Loss): void => server.loseNext(what);
    const restart = (): Promise<void> => server.restart();
    const save = async (): Promise<() => Promise<void>> => {
      const { records } = server;
      return async () => {
        server.kill();
        server.restoreTo(records);
        await restart();
      };
    };
    const scavenge = async (): Promise<void> => server.scavenge();
    return { url: server.url, kill, restart, dispose: kill, save, scavenge, loseNext };
  },
};

const started: ServerUnderTest = {
  name: 'a server that WAYBILL_TEST_ESDB_START starts',
  isShared: false,
  start: async (options) => {
    const server = new EventStoreDbProcess(options === undefined ? {} : { options });
    await server.start();
    return {
      url: server.url,
      kill: () => server.kill(),
      restart: () => server.start(),
      dispose: () => server.dispose(),
      save: () => server.save(),
      scavenge: () => server.scavenge(),
    };
  },
};

const cannot = (): never => {
  throw new Error('a server that is only named is left alone');
};

const named: ServerUnderTest = {
  name: 'the server of WAYBILL_TEST_ESDB',
  isShared: true,
  start: async () => ({
    url: esdbUrl,
    kill: cannot,
    restart: cannot,
    dispose: async () => undefined,
    save: cannot,
    scavenge: cannot,
  }),
};

/** The servers themselves that there are. */
export const realServers: readonly ServerUnderTest[] = [
  ...(startCommand === '' ? [] : [started]),
  ...(esdbUrl === '' ? [] : [named]),
];

export const servers: readonly ServerUnderTest[] = [standIn, ...realServers];

/** Those that a suite has for itself, empty as it begins. */
export const ownServers: readonly ServerUnderTest[] = servers.filter(({ isShared }) => !isShared);

/** To be called by a suite that runs on `servers`: without any but the stand-in it is counted as skipped, and said. */
export function noteMissingServers(): void {
  if (realServers.length > 0) return;
  describe.skip('EventStoreDB itself', () => {
    test('needs WAYBILL_TEST_ESDB_START, a command that starts one, or WAYBILL_TEST_ESDB=esdb://…', () => undefined);
  });
}
