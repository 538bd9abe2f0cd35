import { Unavailable } from '@waybill/shared-kernel/errors.js';
import type { Randomness, Timer, WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { PaymentGateway } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { dataFiles, shown, type Config } from '../process/config.js';
import { prepareDataFolder } from '../process/data-folder.js';
import type { ReportFault } from '../process/engines.js';
import { openHttpGateway, type WatchGateway } from './http-gateway.js';
import { startSimulator } from './simulator/server.js';
import { webhookSecretOf } from './webhook-secret.js';

export interface GatewayDependencies {
  readonly clock: WallClock;
  readonly timer: Timer;
  readonly randomness: Randomness;
  readonly report: ReportFault;
  readonly watch?: WatchGateway;
}

export interface OpenedGateway extends PaymentGateway {
  /** Where it is, as it may be shown. */
  readonly url: string;
  /** Tells the built-in simulator where its webhooks go. For a real gateway that is configured at the gateway. */
  notifyAt(url: string): void;
}

/** The path of the write API at which the gateway's webhooks arrive. */
export const webhookPath = '/v1/payments/webhook';

/**
 * The payment gateway of `WAYBILL_PAYMENT_URL`, or a built-in simulator that keeps its ledger in the data folder, which
 * is made if need be. Throws `BadDataFile` or `Unavailable`.
 */
export async function openGateway(
  config: Pick<Config, 'paymentUrl' | 'webhookSecret' | 'dataFolder'>,
  dependencies: GatewayDependencies,
): Promise<OpenedGateway> {
  const { randomness, report, watch } = dependencies;
  const http = (url: string): PaymentGateway =>
    openHttpGateway({ url, randomness, watch: telling(shown(url), report, watch) });
  const { paymentUrl, dataFolder } = config;
  if (paymentUrl !== undefined) return { ...http(paymentUrl), url: shown(paymentUrl), notifyAt: () => {} };

  prepareDataFolder(dataFolder);
  const simulator = await startSimulator({
    ...dependencies,
    ledgerFile: dataFiles(dataFolder).paymentLedger,
    webhookSecret: webhookSecretOf(config, randomness),
    report: (fault) => report(fault, 'payment simulator'),
  });
  const gateway = http(simulator.url);
  return {
    ...gateway,
    url: simulator.url,
    notifyAt: (url) => simulator.notifyAt(url),
    close: async () => {
      // Together: it hangs up on those whom it never answers.
      await Promise.all([gateway.close(), simulator.close()]);
    },
  };
}

/** Says once, until it is well again, that most attempts fail. */
function telling(url: string, report: ReportFault, watch: WatchGateway | undefined): WatchGateway {
  let isTold = false;
  return {
    called: (...call) => watch?.called(...call),
    breaker: (state) => {
      watch?.breaker(state);
      if (state === 'open' && !isTold) {
        const says = `${url} keeps failing; orders are placed all the same, and wait with their payment pending.`;
        report(new Unavailable('payment gateway', says), 'payment gateway');
      }
      if (state !== 'half-open') isTold = state === 'open';
    },
  };
}
