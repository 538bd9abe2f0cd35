import { ArrayMaxSize, ArrayMinSize, IsArray } from 'class-validator';
import { AddressBody } from '../http/address-body.js';
import { IsId, IsNested, IsText, IsWhole, Optional } from '../http/rules.js';

export const mostLines = 100;
export const mostOfALine = 1000;

export class OrderLineBody {
  @IsId()
  productId!: string;

  @IsWhole(1, mostOfALine)
  quantity!: number;
}

export class PaymentBody {
  @IsText(200)
  token!: string;
}

export class PlaceOrderBody {
  @Optional()
  @IsId()
  orderId?: string;

  @IsId()
  customerId!: string;

  @IsNested(() => OrderLineBody, 'a list of lines', { each: true })
  @ArrayMaxSize(mostLines, { message: `There may be at most ${mostLines} lines.` })
  @ArrayMinSize(1, { message: 'There must be at least one line.' })
  @IsArray({ message: 'It must be a list of lines.' })
  lines!: OrderLineBody[];

  @Optional()
  @IsNested(() => AddressBody, 'an address')
  deliveryAddress?: AddressBody;

  @IsNested(() => PaymentBody, 'a payment')
  payment!: PaymentBody;
}

export class CancelOrderBody {
  @IsText(500)
  reason!: string;
}
