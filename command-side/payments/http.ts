import { IsIn, ValidateIf } from 'class-validator';
import type { Answer, Route, SignedRequest } from '@waybill/infra/http/route.js';
import { InvalidInput, RuleViolated } from '@waybill/shared-kernel/errors.js';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { requestIdOf } from '@waybill/shared-kernel/idempotency.js';
import { notBefore } from '@waybill/shared-kernel/occurred.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { gatewayStatuses, type GatewayStatus } from '@waybill/shared-kernel/ports/payment-gateway.js';
import { utcTime } from '@waybill/shared-kernel/time.js';
import { readCommand } from '../http/read-command.js';
import { IsCurrency, IsId, IsText, IsTime, IsWhole, Optional } from '../http/rules.js';
import type { Aggregates } from '../handling/aggregates.js';
import type { WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { PaymentRecords } from './payment-records.js';
import type { PaymentTerms } from './payment.js';

/** The field may be left out or be `null`. */
function OrNothing(): PropertyDecorator {
  return ValidateIf((_body, value: unknown) => value !== undefined && value !== null);
}

/** How a payment stands at the gateway: the whole of it each time, so notices may be doubled, late and lost. */
export class PaymentNoticeBody {
  @Optional()
  @IsText(200)
  id?: string;

  @Optional()
  @IsText(200)
  type?: string;

  @IsId()
  reference!: string;

  @IsIn(gatewayStatuses, { message: `It must be one of ${gatewayStatuses.join(', ')}.` })
  status!: GatewayStatus;

  @OrNothing()
  @IsWhole(0, Number.MAX_SAFE_INTEGER)
  amount?: number | null;

  @OrNothing()
  @IsCurrency()
  currency?: string | null;

  @Optional()
  @IsText(500)
  reason?: string;

  @Optional()
  @IsTime()
  at?: string;
}

const path = '/v1/payments/webhook';
const gateway = { sub: 'gateway', role: 'gateway' } as const;

export interface PaymentRoutesDependencies {
  readonly aggregates: Aggregates;
  readonly payments: PaymentRecords;
  readonly clock: WallClock;
  /** What the payment gateway signs its notices with. */
  readonly webhookSecret: string;
}

/**
 * What the gateway says of its own accord. Where there is no such order, or nothing to pay for it, there is nothing to
 * note, and it is taken all the same: it would only come again and again.
 */
export function paymentRoutes({
  aggregates,
  payments,
  webhookSecret,
  clock,
}: PaymentRoutesDependencies): readonly Route[] {
  const notice = async ({ body, traceparent }: SignedRequest): Promise<Answer> => {
    const said = readNotice(body);
    const { id, reference, status, at } = said;
    const placed = await aggregates.orders.find(reference, ({ type }) => type === 'OrderPlaced');
    const terms = placed === undefined ? undefined : termsOf(placed);
    if (placed !== undefined && terms !== undefined) {
      requireTerms(said, terms);
      await payments.record(terms, said, {
        correlationId: placed.correlationId,
        causationId: requestIdOf(gateway.sub, gateway.role, 'POST', path, id ?? `${reference} ${status}`),
        traceparent,
        actor: gateway,
        occurredAt: within(placed.occurredAt, at === undefined ? undefined : utcTime(at), timestamp(clock)),
      });
    }
    return { status: 204 };
  };
  return [{ method: 'POST', path, secret: webhookSecret, handle: notice }];
}

function readNotice(body: unknown): PaymentNoticeBody {
  const notice = readCommand(PaymentNoticeBody, body);
  const type = `payment.${notice.status}`;
  if (notice.type === undefined || notice.type === type) return notice;
  throw new InvalidInput([{ pointer: '/type', detail: `It must be ${type}, to match the status.` }]);
}

/** What is to be paid for an order; `undefined`: nothing, or it is history. */
function termsOf(placed: KnownEvent): PaymentTerms | undefined {
  if (placed.type !== 'OrderPlaced' || placed.imported === true) return undefined;
  const { orderId, total, currency } = placed.data;
  return total === null || total === 0 ? undefined : { orderId, amount: total, currency };
}

/** Of another sum nobody was asked: that is for people to look into. */
function requireTerms({ amount, currency }: PaymentNoticeBody, terms: PaymentTerms): void {
  if ((amount ?? terms.amount) === terms.amount && (currency ?? terms.currency) === terms.currency) return;
  const { orderId } = terms;
  throw new RuleViolated('payment-amount', `The amount is not the total of order ${orderId}.`);
}

/** Clocks of others may be wrong: no later than now, and no earlier than the order. RFC 3339 UTC, all of them. */
function within(earliest: string, time: string | undefined, latest: string): string {
  return notBefore(time === undefined || time > latest ? latest : time, earliest);
}
