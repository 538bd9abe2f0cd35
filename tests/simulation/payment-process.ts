import { once } from 'node:events';
import type { PaymentRequest } from '@waybill/command-side/payments/payment-request.js';
import { paymentCorrelationId } from '@waybill/command-side/payments/payment-request.js';
import { startPaymentService } from '@waybill/command-side/payments/payment-service.js';
import type { Timer } from '@waybill/shared-kernel/ports/clock.js';
import type { OnRequest } from '@waybill/shared-kernel/ports/request-reply.js';
import { ProcessLog } from './process-log.js';
import { second } from './time.js';
import type { World } from './world.js';

const lost = 0.01;
const doubled = 0.02;

/** The payment service in a process of its own, and the broker's way to it. */
export class PaymentProcess {
  readonly #world: World;
  #running: { readonly store: ProcessLog; readonly onRequest: OnRequest } | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** As the process manager asks. */
  readonly ask = (request: PaymentRequest): void => {
    const { weather, chance, tally, schedule } = this.#world;
    if (!weather.isCalm && (weather.isDown('broker') || chance.is(lost))) {
      tally.count('request for a payment lost');
      return;
    }
    const times = chance.is(doubled) ? 2 : 1;
    if (times === 2) tally.count('request for a payment doubled');
    for (let time = 0; time < times; time += 1) {
      schedule.begin(() => this.#answer(request), chance.anywhere(second / 20, 20 * second), 'payments');
    }
  };

  async #answer(request: PaymentRequest): Promise<void> {
    if (this.#running?.store.isDead !== false) this.#running = await this.#start();
    await this.#running.onRequest({ ...request }, paymentCorrelationId(request));
  }

  async #start() {
    const { chance, tally, schedule, gateway } = this.#world;
    const { clock } = schedule;
    // A request is worked on in one turn, however long that is: its answer comes before the patience is over.
    const timer: Timer = {
      sleep: (milliseconds, signal) =>
        signal === undefined ? schedule.timer.sleep(milliseconds) : once(signal, 'abort').then(() => {}),
    };
    const store = new ProcessLog('the payment service', this.#world, 'payments');
    let onRequest: OnRequest | undefined;
    const answer = async (_service: string, given: OnRequest) => {
      onRequest = given;
      return { close: () => Promise.resolve() };
    };
    const count = (step: string, outcome: string): void => tally.count(`payment to ${step}: ${outcome}`);
    const tools = { store, clock, timer, randomness: chance.randomness, gateway };
    await startPaymentService({ ...tools, requestReply: { answer }, report: () => {}, count });
    if (onRequest === undefined) throw new Error('The payment service did not begin.');
    return { store, onRequest };
  }
}
