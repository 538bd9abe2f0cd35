import { requestIdOf as idOfRequest } from '@waybill/shared-kernel/idempotency.js';
import { deliveryIdOf } from '@waybill/shared-kernel/stream.js';

export interface Caller {
  readonly role: 'customer' | 'merchant' | 'courier' | 'operator' | 'auditor';
  readonly sub: string;
}

export interface Money {
  /** Minor units. */
  readonly amount: number;
  readonly currency: string;
}

export interface Line {
  readonly productId: string;
  readonly quantity: number;
}

/** What can be asked of the write API. A delivery is named by its order. */
export type Command =
  | {
      readonly type: 'list';
      readonly productId?: string;
      readonly name: string;
      readonly unitPrice: Money;
      readonly stock?: number;
    }
  | { readonly type: 'reprice'; readonly productId: string; readonly unitPrice: Money }
  | { readonly type: 'restock'; readonly productId: string; readonly change: number }
  | { readonly type: 'withdraw'; readonly productId: string }
  | { readonly type: 'register'; readonly customerId?: string; readonly street: string }
  | { readonly type: 'move'; readonly customerId: string; readonly street: string }
  | { readonly type: 'erase'; readonly customerId: string }
  | {
      readonly type: 'place';
      readonly orderId?: string;
      readonly customerId: string;
      readonly lines: readonly Line[];
      readonly token: string;
    }
  | { readonly type: 'cancel'; readonly orderId: string; readonly reason: string }
  | { readonly type: 'assign'; readonly orderId: string; readonly courierId: string }
  | { readonly type: 'release' | 'pickUp' | 'return'; readonly orderId: string }
  /** A time of the year 9999 is in the future, others are not. */
  | { readonly type: 'locate'; readonly orderId: string; readonly at: string }
  | { readonly type: 'complete'; readonly orderId: string; readonly proof: string }
  | { readonly type: 'fail'; readonly orderId: string; readonly reason: string; readonly next: 'retry' | 'return' };

export type CommandType = Command['type'];

/** A command as somebody sends it. */
export interface Request {
  readonly by: Caller;
  readonly command: Command;
  /** The Idempotency-Key; null: none is sent. */
  readonly key: string | null;
  /** Sent as If-Match; null: is not sent. */
  readonly ifMatch: string | null;
  /** With a field that there is not. */
  readonly isBroken: boolean;
}

/** By which the write API knows a request again. */
export function requestIdOf({ by, command, key }: Request): string {
  return idOfRequest(by.sub, by.role, 'POST', postOf(command).path, key ?? '');
}

/** Where a command is posted to, and what. */
export function postOf(command: Command): { readonly path: string; readonly body: Readonly<Record<string, unknown>> } {
  const address = (street: string) => ({ street, city: 'Busan', postalCode: '48058' });
  switch (command.type) {
    case 'list': {
      const { type: _, ...body } = command;
      return { path: '/v1/products', body };
    }
    case 'reprice':
      return { path: `/v1/products/${command.productId}/price`, body: { unitPrice: command.unitPrice } };
    case 'restock':
      return { path: `/v1/products/${command.productId}/stock`, body: { change: command.change } };
    case 'withdraw':
      return { path: `/v1/products/${command.productId}/withdrawal`, body: {} };
    case 'register': {
      const { type: _, street, ...ids } = command;
      return { path: '/v1/customers', body: { ...ids, name: 'Ann', phone: '1', address: address(street) } };
    }
    case 'move':
      return { path: `/v1/customers/${command.customerId}/address`, body: { address: address(command.street) } };
    case 'erase':
      return { path: `/v1/customers/${command.customerId}/erasure`, body: {} };
    case 'place': {
      const { type: _, token, ...body } = command;
      return { path: '/v1/orders', body: { ...body, payment: { token } } };
    }
    case 'cancel':
      return { path: `/v1/orders/${command.orderId}/cancellation`, body: { reason: command.reason } };
    case 'assign':
      return { path: deliveryPath(command, 'assignment'), body: { courierId: command.courierId } };
    case 'release':
      return { path: deliveryPath(command, 'release'), body: {} };
    case 'pickUp':
      return { path: deliveryPath(command, 'pickup'), body: {} };
    case 'return':
      return { path: deliveryPath(command, 'return'), body: {} };
    case 'locate':
      return { path: deliveryPath(command, 'positions'), body: { latitude: 37.5, longitude: 127, at: command.at } };
    case 'complete':
      return { path: deliveryPath(command, 'completion'), body: { proof: command.proof } };
    case 'fail':
      return { path: deliveryPath(command, 'failure'), body: { reason: command.reason, next: command.next } };
    default:
      return command satisfies never;
  }
}

function deliveryPath({ orderId }: { readonly orderId: string }, step: string): string {
  return `/v1/deliveries/${deliveryIdOf(orderId)}/${step}`;
}
