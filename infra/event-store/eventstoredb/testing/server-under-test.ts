import { StandInServer } from './stand-in-server.js';

/** Where the tests find an EventStoreDB, `esdb://…`; without one a stand-in is all there is, and the run says so. */
export const esdbUrl = process.env['WAYBILL_TEST_ESDB'] ?? '';

export interface ServerUnderTest {
  readonly name: string;
  readonly start: () => Promise<{ readonly url: string; readonly stop: () => void }>;
}

const standIn: ServerUnderTest = {
  name: 'a stand-in for the server',
  start: async () => {
    const server = await StandInServer.listen();
    server.write('$stats-127.0.0.1:2113', '$statsCollected', 2_500);
    return { url: server.url, stop: () => server.kill() };
  },
};

/** What it holds stays; the tests use streams of their own. */
const real: ServerUnderTest = {
  name: 'the server of WAYBILL_TEST_ESDB',
  start: async () => ({ url: esdbUrl, stop: () => undefined }),
};

export const servers: readonly ServerUnderTest[] = esdbUrl === '' ? [standIn] : [standIn, real];
