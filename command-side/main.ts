import { steadyClock } from '@waybill/infra/clock/steady.js';
import { openReadStore, openSnapshots } from '@waybill/infra/process/engines.js';
import { readinessOf } from '@waybill/infra/http/health.js';
import { runApi } from '@waybill/infra/process/run-api.js';
import { webhookSecretOf } from '@waybill/infra/payment-gateway/webhook-secret.js';
import { openWrittenLog } from '@waybill/infra/process/written-log.js';
import { believedClock } from '@waybill/shared-kernel/believed-clock.js';
import { finishErasures } from './customers/finish-erasures.js';
import { handledThroughIn } from './fulfilment/handled-through.js';
import { LiveLook } from './handling/live-look.js';
import { OrderAdmission } from './ordering/admission.js';
import { AggregateSnapshots } from './handling/snapshots/aggregate-snapshots.js';
import { createWriteApi } from './write-api.js';

// The write API in a process of its own: `npm run start:write-api`. As many as wanted; each needs the log and the keys.

await runApi('write-api', async (part) => {
  const { config, telemetry } = part;
  // By which events are dated: a jump ahead for a moment stays in none of them.
  const clock = believedClock({ wallClock: part.clock, steadyClock });
  const log = await openWrittenLog(config, { ...part, clock });
  const snapshots = new AggregateSnapshots({
    ...part,
    store: openSnapshots(config),
    clock: steadyClock,
    count: telemetry.countSnapshots(),
  });
  // Only to see how far the process manager has come: what cannot be seen holds up nobody.
  const positions = openReadStore(config);
  const finishing = finishErasures({ ...part, store: log.events });
  const ready = () => readinessOf({ 'event store': () => log.events.head() });
  const api = createWriteApi({
    ...part,
    clock,
    store: telemetry.store(log.events),
    count: telemetry.countCommands(),
    admission: new OrderAdmission({ handledThrough: handledThroughIn(positions), steadyClock }),
    snapshots,
    // A file is read as quickly.
    look:
      config.eventStore.kind === 'eventstoredb'
        ? new LiveLook({ ...part, store: log.events, clock: steadyClock })
        : undefined,
    webhookSecret: webhookSecretOf(config, part.randomness),
    publicReadUrl: config.publicReadUrl ?? `http://${config.host}:${config.readPort}`,
    ready,
  });
  const close = async (): Promise<void> => {
    await finishing.stop();
    await snapshots.close();
    await positions.close();
    await log.close();
  };
  return { api, ready, broken: log.broken, close };
});
