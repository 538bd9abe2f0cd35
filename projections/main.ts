import { steadyClock } from '@waybill/infra/clock/steady.js';
import { usesDataFolder } from '@waybill/infra/config.js';
import { openBroker, openEventStore, openLeases, openReadStore } from '@waybill/infra/engines.js';
import { beginPart, listenForHealth } from '@waybill/infra/part.js';
import { runProcess } from '@waybill/infra/run-process.js';
import { leasedPartitions } from '@waybill/shared-kernel/leased-assignment.js';
import { followedLog } from '@waybill/shared-kernel/log-identity.js';
import { projections } from './catalogue.js';
import { keepReadModels } from './keep-read-models.js';

// The projector in a process of its own: `npm run start:projector`. Several divide the partitions among them.

await runProcess(async () => {
  const part = await beginPart('projector', usesDataFolder);
  const { config, clock, randomness, timer, report } = part;

  const broker = openBroker(config, report);
  const readStore = openReadStore(config);
  const store = followedLog(openEventStore(config, { clock, report }), readStore);
  const leases = openLeases(config);
  const projector = keepReadModels(projections, {
    broker,
    store,
    readStore,
    timer,
    randomness,
    clock,
    assign: leasedPartitions({
      leases,
      timer,
      randomness,
      clock: steadyClock,
      report,
    }),
    report,
  });
  const health = await listenForHealth(part, {
    'event store': () => store.head(),
    'read store': () => readStore.relayCheckpoint(),
  });
  return {
    greeting: `Waybill's projector is running.\n`,
    stop: async () => {
      await projector.stop();
      await broker.close();
      await Promise.all([store.close(), readStore.close(), leases.close(), health.close()]);
      part.release();
    },
  };
});
