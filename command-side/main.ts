import { apiUsesDataFolder, dataFiles } from '@waybill/infra/config.js';
import { openEventStore, openKeys } from '@waybill/infra/engines.js';
import { startAppendWorker } from '@waybill/infra/event-store/sqlite/append-worker.js';
import { readinessOf } from '@waybill/infra/http/health.js';
import { listen } from '@waybill/infra/http/listen.js';
import { tokenVerifierOf } from '@waybill/infra/http/token-verifier.js';
import { cachedKeys, keyCacheBounds } from '@waybill/infra/keys/cached.js';
import { beginPart } from '@waybill/infra/part.js';
import { runProcess } from '@waybill/infra/run-process.js';
import { createWriteApi } from './write-api.js';

// The write API in a process of its own: `npm run start:write-api`. As many as wanted; each needs the log and the keys.

await runProcess(async () => {
  const part = await beginPart('write-api', apiUsesDataFolder);
  const { config, clock, randomness, report } = part;

  const writer =
    config.eventStore.kind === 'sqlite' ? await startAppendWorker(dataFiles(config.dataFolder).log) : undefined;
  const store = openEventStore(config, { clock, report, appender: writer?.port() });
  const keys = cachedKeys(openKeys(config, randomness), { ...keyCacheBounds, clock });
  const api = createWriteApi({
    ...part,
    store,
    keys,
    verify: await tokenVerifierOf(config, clock),
    publicReadUrl: config.publicReadUrl ?? `http://${config.host}:${config.readPort}`,
    ready: () => readinessOf({ 'event store': () => store.head() }),
  });
  const listening = await listen(api, {
    host: config.host,
    port: config.writePort,
    hostVariable: 'WAYBILL_HOST',
    portVariable: 'WAYBILL_WRITE_PORT',
  });
  return {
    greeting: `Waybill's write API is running: ${listening.url}  (documentation: ${listening.url}/docs)\n`,
    stop: async () => {
      await listening.close();
      await store.close();
      await writer?.close();
      await keys.close();
      part.release();
    },
    ...(writer && { broken: writer.ended.then((error) => `The thread that writes the log ended: ${String(error)}`) }),
  };
});
