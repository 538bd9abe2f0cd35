import {
  eventStoreDbAppend,
  eventStoreDbReadAll,
  eventStoreDbReadShared,
  readOrderBeside,
} from '../cases/servers/eventstoredb.mjs';
import { projector } from '../cases/servers/projector.mjs';
import { relay } from '../cases/servers/relay.mjs';
import { visibility } from '../cases/servers/visibility.mjs';
import { stopServers } from '../servers.mjs';

/** Each part on the servers it takes there. */
export const servers = {
  title: 'Benchmarks on servers',
  command: 'npm run bench -- --profile servers',
  other: 'Everything in one process: [benchmarks](benchmarks.md).',
  page: 'docs/benchmarks-servers.md',
  findings: 'bench/profile-servers.md',
  cases: [
    relay,
    projector,
    eventStoreDbAppend,
    eventStoreDbReadAll,
    eventStoreDbReadShared,
    readOrderBeside,
    visibility,
  ],
  close: stopServers,
};
