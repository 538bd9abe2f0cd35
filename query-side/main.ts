import { apiUsesDataFolder } from '@waybill/infra/config.js';
import { openEventStore, openKeys, openReadStore } from '@waybill/infra/engines.js';
import { readinessOf } from '@waybill/infra/http/health.js';
import { listen } from '@waybill/infra/http/listen.js';
import { tokenVerifierOf } from '@waybill/infra/http/token-verifier.js';
import { cachedKeys, keyCacheBounds } from '@waybill/infra/keys/cached.js';
import { beginPart } from '@waybill/infra/part.js';
import { runProcess } from '@waybill/infra/run-process.js';
import { followedLog } from '@waybill/shared-kernel/log-identity.js';
import { createReadApi } from './read-api.js';

// The read API in a process of its own: `npm run start:read-api`. As many as wanted.

await runProcess(async () => {
  const part = await beginPart('read-api', apiUsesDataFolder);
  const { config, clock, randomness, report } = part;

  const readStore = openReadStore(config);
  const events = followedLog(openEventStore(config, { clock, report }), readStore);
  const keys = cachedKeys(openKeys(config, randomness), { ...keyCacheBounds, clock });
  const api = createReadApi({
    ...part,
    events,
    readStore,
    keys,
    verify: await tokenVerifierOf(config, clock),
    ready: () => readinessOf({ 'read store': () => readStore.relayCheckpoint() }),
  });
  const listening = await listen(api, {
    host: config.host,
    port: config.readPort,
    hostVariable: 'WAYBILL_HOST',
    portVariable: 'WAYBILL_READ_PORT',
  });
  return {
    greeting: `Waybill's read API is running: ${listening.url}  (documentation: ${listening.url}/docs)\n`,
    stop: async () => {
      await listening.close();
      await events.close();
      await readStore.close();
      await keys.close();
      part.release();
    },
  };
});
