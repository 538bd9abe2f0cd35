import { IsIn, ValidateIf } from 'class-validator';
import type { PaymentStep } from '@waybill/shared-kernel/events/fulfilment.js';
import { readCommand } from '../http/read-command.js';
import { IsCurrency, IsId, IsText, IsTime, IsWhole, Optional } from '../http/rules.js';
import type { PaymentRequest } from './payment-request.js';

const steps: readonly PaymentStep[] = ['authorise', 'capture', 'release'];

function OrNull(): PropertyDecorator {
  return ValidateIf((_body, value: unknown) => value !== null);
}

/** What a broker brings is anything. */
class PaymentRequestBody implements PaymentRequest {
  @IsId()
  orderId!: string;

  @IsIn(steps)
  step!: PaymentStep;

  @Optional()
  @IsIn([true])
  isFirst?: true;

  @Optional()
  @IsId()
  customerId?: string;

  @IsWhole(1, Number.MAX_SAFE_INTEGER)
  amount!: number;

  @IsCurrency()
  currency!: string;

  @ValidateIf(({ step }: PaymentRequestBody, value: unknown) => step === 'authorise' || value !== null)
  @IsText(200)
  token!: string | null;

  @IsText(200)
  correlationId!: string;

  @IsText(200)
  causationId!: string;

  @Optional()
  @IsTime()
  causedAt?: string;

  @OrNull()
  @IsText(200)
  traceparent!: string | null;
}

/** A request as it came. Throws `InvalidInput` for what is none. */
export function readPaymentRequest(body: unknown): PaymentRequest {
  return readCommand(PaymentRequestBody, body);
}
