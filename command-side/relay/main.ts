import { steadyClock } from '@waybill/infra/clock/steady.js';
import { usesDataFolder } from '@waybill/infra/config.js';
import { openBroker, openEventStore, openLeases, openReadStore } from '@waybill/infra/engines.js';
import { beginPart, listenForHealth } from '@waybill/infra/part.js';
import { runProcess } from '@waybill/infra/run-process.js';
import { leasedLeadership } from '@waybill/shared-kernel/leased-assignment.js';
import { followedLog } from '@waybill/shared-kernel/log-identity.js';
import { leadRelay } from './lead-relay.js';
import { serverRelayTuning } from './relay.js';

// The relay in a process of its own: `npm run start:relay`. Of several one works, and another when that one is gone.

await runProcess(async () => {
  const part = await beginPart('relay', usesDataFolder);
  const { config, clock, randomness, timer, report } = part;

  const broker = openBroker(config, report);
  const checkpoints = openReadStore(config);
  const store = followedLog(openEventStore(config, { clock, report }), checkpoints);
  const leases = openLeases(config);
  const relay = leadRelay(
    {
      store,
      broker,
      checkpoints,
      timer,
      randomness,
      assign: leasedLeadership({ leases, timer, randomness, clock: steadyClock, report }),
      report,
    },
    serverRelayTuning,
  );
  const health = await listenForHealth(part, {
    'event store': () => store.head(),
    'read store': () => checkpoints.relayCheckpoint(),
  });
  return {
    greeting: `Waybill's relay is running.\n`,
    stop: async () => {
      await relay.stop();
      await broker.close();
      await Promise.all([store.close(), checkpoints.close(), leases.close(), health.close()]);
      part.release();
    },
  };
});
