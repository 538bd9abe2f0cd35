import { openEventStore, openReadStore } from '@waybill/infra/process/engines.js';
import { readinessOf } from '@waybill/infra/http/health.js';
import { runApi } from '@waybill/infra/process/run-api.js';
import { createReadApi } from './read-api.js';

// The read API in a process of its own: `npm run start:read-api`. As many as wanted.

await runApi('read-api', (part) => {
  const readStore = openReadStore(part.config);
  const events = openEventStore(part.config, part);
  const ready = () => readinessOf({ 'read store': () => readStore.madeFrom() });
  return {
    api: createReadApi({ ...part, events, readStore, ready }),
    ready,
    close: async () => {
      await events.close();
      await readStore.close();
    },
  };
});
