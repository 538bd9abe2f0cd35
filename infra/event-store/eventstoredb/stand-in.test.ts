import { eventStoreContract } from '@waybill/shared-kernel/ports/event-store.contract.js';
import { openEventStoreDb } from './eventstoredb-event-store.js';
import { StandInServer } from './testing/stand-in-server.js';

eventStoreContract(
  'EventStoreDB, a stand-in for the server',
  async () => {
    const server = await StandInServer.listen();
    server.write('$stats-127.0.0.1:2113', '$statsCollected', 2_500);
    const store = openEventStoreDb(server.url, { patienceMs: 10_000 });
    const another = openEventStoreDb(server.url, { patienceMs: 10_000 });
    return {
      store,
      another,
      async dispose() {
        await Promise.all([store.close(), another.close()]);
        server.kill();
      },
    };
  },
  { largestAppend: 1024 * 1024 },
);
