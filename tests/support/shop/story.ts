import { setTimeout as sleep } from 'node:timers/promises';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';
import type { FollowedLog } from '../followed-log.js';
import { type Answer, post } from '../write-client.js';
import { stocks, type Kind, type OrderPlan } from './plan.js';

/** An order, what was planned for it, and which of that was answered with a yes. */
export interface Story {
  readonly orderId: string;
  readonly plan: OrderPlan;
  readonly isCancelled: boolean;
  readonly isPickedUp: boolean;
}

export interface ShopDependencies {
  /** Unlike that of other runs on the same log; begins all ids. */
  readonly run: string;
  /** Of an operator and merchant. */
  readonly token: string;
  /** Where the write API is; waits while there is none. */
  readonly url: () => Promise<string>;
  readonly log: FollowedLog;
}

/** Before a command is sent again of which it is not known what became. Milliseconds. */
const pause = 20;

/** Merchants, customers and couriers, who send each command until they know what became of it. */
export class Shop {
  readonly #dependencies: ShopDependencies;
  /** Commands of which it is known what became. */
  answered = 0;

  constructor(dependencies: ShopDependencies) {
    this.#dependencies = dependencies;
  }

  productOf(kind: Kind): string {
    return `${kind}-${this.#dependencies.run}`;
  }

  async open(): Promise<void> {
    const { run } = this.#dependencies;
    for (const [kind, stock] of Object.entries(stocks)) {
      const productId = this.productOf(kind as Kind);
      const unitPrice = { amount: 900, currency: 'EUR' };
      await this.#demand('/v1/products', { productId, name: kind, unitPrice, ...(stock !== null && { stock }) });
    }
    const address = { street: 'Weg 1', city: 'Berlin', postalCode: '10115' };
    await this.#demand('/v1/customers', { customerId: `ann-${run}`, name: 'Ann', phone: '+49 30 1', address });
  }

  /** Has everything done that is planned for an order, each as soon as it can be. */
  async carryOut(plan: OrderPlan, name: string): Promise<Story> {
    const { run, log } = this.#dependencies;
    const orderId = `${name}-${run}`;
    const lines = plan.lines.map(({ kind, quantity }) => ({ productId: this.productOf(kind), quantity }));
    const payment = { token: plan.token };
    await this.#demand('/v1/orders', { orderId, customerId: `ann-${run}`, lines, payment });
    const cancel = () => this.#try(`/v1/orders/${orderId}/cancellation`, { reason: 'changed my mind' });
    if (plan.cancels === 'early') return { orderId, plan, isCancelled: await cancel(), isPickedUp: false };

    const settling = plan.token === 'tok_hang' ? [...settled, 'FulfilmentPaymentRequested'] : settled;
    await log.until(`it is settled what becomes of ${orderId}`, () =>
      log.of(orderId).some(({ type }) => settling.includes(type)),
    );
    const isScheduled = log.of(orderId).some(({ type }) => type === 'DeliveryScheduled');
    const [isCancelled, isPickedUp] = await Promise.all([
      plan.cancels === 'late' && cancel(),
      isScheduled && plan.courier !== 'never comes' && this.#pickUp(orderId),
    ]);
    if (isPickedUp) await this.#bring(orderId, plan.courier);
    return { orderId, plan, isCancelled, isPickedUp };
  }

  async #pickUp(orderId: string): Promise<boolean> {
    const path = pathOf(orderId);
    return (await this.#try(`${path}/assignment`, { courierId: 'kim' })) && this.#try(`${path}/pickup`, {});
  }

  async #bring(orderId: string, courier: OrderPlan['courier']): Promise<void> {
    const path = pathOf(orderId);
    const fail = (next: 'retry' | 'return') => this.#demand(`${path}/failure`, { reason: 'Nobody was there.', next });
    switch (courier) {
      case 'never comes':
      case 'is on the way':
        return;
      case 'delivers at the second attempt':
      case 'delivers':
        if (courier !== 'delivers') await fail('retry');
        await this.#demand(`${path}/completion`, {});
        return;
      case 'gives up':
        await fail('return');
        return;
      case 'brings it back':
        await fail('return');
        await this.#demand(`${path}/return`, {});
        return;
      default:
        courier satisfies never;
    }
  }

  /** Whether it was done; false where the rules forbid it by now. */
  async #try(path: string, body: object): Promise<boolean> {
    const { status, text } = await this.#answer(path, body);
    if (status === 200 || status === 201) return true;
    if (status === 409) return false;
    throw new Error(`${path} was answered with ${status}: ${text}`);
  }

  async #demand(path: string, body: object): Promise<void> {
    if (!(await this.#try(path, body))) throw new Error(`${path} was refused.`);
  }

  async #answer(path: string, body: object): Promise<Answer> {
    const { url, token } = this.#dependencies;
    for (;;) {
      const answer = await post(await url(), path, token, `${path} ${JSON.stringify(body)}`, body).catch(
        () => undefined,
      );
      // The first one with the key is still being worked on, its caller gone.
      const isOpen = answer?.status === 409 && answer.text.includes(':concurrent-request');
      if (answer !== undefined && answer.status !== 503 && !isOpen) {
        this.answered += 1;
        return answer;
      }
      await sleep(pause);
    }
  }
}

const settled: readonly string[] = ['DeliveryScheduled', 'OrderRejected', 'OrderCancelled'];

function pathOf(orderId: string): string {
  return `/v1/deliveries/${deliveryIdOf(orderId)}`;
}
