import { steadyClock } from '@waybill/infra/clock/steady.js';
import { usesDataFolder } from '@waybill/infra/config.js';
import { openBroker, openEventStore, openLeases, openReadStore } from '@waybill/infra/engines.js';
import { beginPart, listenForHealth } from '@waybill/infra/part.js';
import { runProcess } from '@waybill/infra/run-process.js';
import { leasedPartitions } from '@waybill/shared-kernel/leased-assignment.js';
import { followedLog } from '@waybill/shared-kernel/log-identity.js';
import { runFulfilment } from './run-fulfilment.js';

// The process manager in a process of its own: `npm run start:fulfilment`. Several divide the partitions among them.

await runProcess(async () => {
  const part = await beginPart('fulfilment', usesDataFolder);
  const { config, clock, randomness, timer, report } = part;

  const broker = openBroker(config, report);
  const positions = openReadStore(config);
  const store = followedLog(openEventStore(config, { clock, report }), positions);
  const leases = openLeases(config);
  const fulfilment = runFulfilment({
    broker,
    store,
    positions,
    checkpoints: positions,
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
    'read store': () => positions.relayCheckpoint(),
  });
  return {
    greeting: `Waybill's fulfilment is running.\n`,
    stop: async () => {
      await fulfilment.stop();
      await broker.close();
      await Promise.all([store.close(), positions.close(), leases.close(), health.close()]);
      part.release();
    },
  };
});
