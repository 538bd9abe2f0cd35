import type {
  DeadlineName,
  FulfilmentEvent,
  FulfilmentStarted,
  PaymentRequested,
  PaymentSettled,
  PaymentStep,
  StockItem,
} from '@waybill/shared-kernel/events/fulfilment.js';

/** How far an order was carried. What undoing began ends as `completed` when nothing is owed to anybody any more. */
export type FulfilmentState = { readonly status: 'none' } | BegunFulfilment;

export type BegunFulfilment =
  | (Carried & { readonly status: 'reserving' | 'confirming' })
  | (Carried & { readonly status: 'authorising' | 'capturing'; readonly asked: Asked })
  | (Carried & { readonly status: 'rejecting'; readonly reason: string })
  | (Carried & {
      readonly status: 'delivering';
      readonly isDispatched: boolean;
      readonly awaited: Deadline | undefined;
    })
  | Compensation
  | (Carried & { readonly status: 'completed'; readonly outcome: DeliveryOutcome });

export type DeliveryOutcome = 'delivered' | 'failed' | 'cancelled';

/** What an order carries with it, whatever becomes of it. */
interface Carried {
  readonly orderId: string;
  readonly items: readonly StockItem[];
  /** What was set aside for it; undefined: it is for the products to know whether anything was. */
  readonly reserved: readonly StockItem[] | undefined;
  readonly charge: Charge | undefined;
  /** How the payment stands, as far as is known. `asked`: it may have been authorised. */
  readonly money: Money;
  /** Set once a delivery was asked for. */
  readonly deliveryId: string | undefined;
}

export type Money = 'none' | 'asked' | PaymentSettled['status'];

/** What is to be paid, in minor units, more than 0. */
interface Charge {
  readonly amount: number;
  readonly currency: string;
}

/** What was done is being undone. */
export type Compensation = Carried & {
  readonly status: 'compensating';
  readonly outcome: DeliveryOutcome;
  /** `away`: until the courier brings them back. */
  readonly goods: 'here' | 'away' | 'settled';
  readonly asked: Asked | undefined;
  readonly awaited: Deadline | undefined;
};

/** An outstanding request to the payment service. Times are RFC 3339 UTC. */
export interface Asked {
  readonly step: PaymentStep;
  readonly attempt: number;
  readonly retryAt: string;
  readonly until: string | null;
  /** Somebody has it made again before it is time. */
  readonly isWantedNow: boolean;
}

/** What has to have happened by when, RFC 3339 UTC. */
export interface Deadline {
  readonly name: DeadlineName;
  readonly dueAt: string;
}

export function evolve(state: FulfilmentState, event: FulfilmentEvent): FulfilmentState {
  if (event.type === 'FulfilmentStarted') return state.status === 'none' ? started(event.data) : state;
  if (state.status === 'none' || state.status === 'completed') return reopened(state, event);
  switch (event.type) {
    case 'FulfilmentStockReserved':
      return onTheWay(state, (order) => ({ ...order, reserved: event.data.items, status: 'confirming' }));
    case 'FulfilmentStockRefused':
      return rejecting(state, `There is not enough of product ${event.data.productId} in stock.`);
    case 'FulfilmentPaymentRequested':
      return asked(state, event.data);
    case 'FulfilmentPaymentSettled':
      return paid(state, event.data);
    case 'FulfilmentDeliveryRequested': {
      const { deliveryId, dueAt } = event.data;
      const awaited = dueAt === null ? undefined : ({ name: 'courier', dueAt } as const);
      return onTheWay(state, (order) => ({ ...order, deliveryId, status: 'delivering', isDispatched: false, awaited }));
    }
    case 'FulfilmentDispatched':
      if (state.status !== 'delivering') return state;
      return { ...state, isDispatched: true, awaited: { name: 'delivery', dueAt: event.data.dueAt } };
    case 'FulfilmentDeadlineMissed': {
      const { deadline: name, again: dueAt } = event.data;
      if (name === 'payment') return rejecting(state, 'The payment was not answered in time.');
      if (!('awaited' in state) || state.awaited?.name !== name) return state;
      return { ...state, awaited: dueAt === null ? undefined : { name, dueAt } };
    }
    case 'FulfilmentCancelled':
      return onTheWay(state, (order) => undone({ ...order, ...atOnce, outcome: 'cancelled', goods: 'here' }));
    case 'FulfilmentFailed': {
      const awaited = { name: 'return', dueAt: event.data.dueAt } as const;
      return onTheWay(state, (order) => undone({ ...order, ...atOnce, outcome: 'failed', goods: 'away', awaited }));
    }
    case 'FulfilmentStockReleased':
      return state.status === 'compensating' ? undone({ ...state, goods: 'settled', awaited: undefined }) : state;
    case 'FulfilmentCompleted':
      return onTheWay(state, (order) => ({ ...order, status: 'completed', outcome: event.data.outcome }));
    case 'FulfilmentCompensationRequested':
      return state.status === 'capturing' ? payingBack(state, 'delivered') : state;
    case 'FulfilmentRetryRequested':
      if (!('asked' in state) || state.asked === undefined) return state;
      return { ...state, asked: { ...state.asked, isWantedNow: true } };
    default:
      event satisfies never;
      return state;
  }
}

function started({ orderId, items, amount, currency }: FulfilmentStarted): FulfilmentState {
  const charge = amount === null || currency === null ? undefined : { amount, currency };
  return { status: 'reserving', orderId, items, reserved: undefined, charge, money: 'none', deliveryId: undefined };
}

/** What is over stays so, unless there is money to be given back: as an operator wants, or as it was taken by mistake. */
function reopened(state: FulfilmentState, event: FulfilmentEvent): FulfilmentState {
  if (state.status !== 'completed') return state;
  const { outcome } = state;
  if (event.type === 'FulfilmentCompensationRequested' && outcome === 'delivered') return payingBack(state, outcome);
  if (event.type !== 'FulfilmentPaymentSettled' || outcome === 'delivered') return state;
  return payingBack({ ...state, money: event.data.status }, outcome);
}

function payingBack(state: BegunFulfilment, outcome: DeliveryOutcome): BegunFulfilment {
  return undone({ ...carried(state), ...atOnce, outcome, goods: 'settled' });
}

const atOnce = { status: 'compensating', asked: undefined, awaited: undefined } as const;

/** The compensation, or its end where nothing is left to undo. */
function undone(state: Compensation): BegunFulfilment {
  const isOver = !owesMoney(state) && !owesStock(state);
  return isOver ? { ...carried(state), status: 'completed', outcome: state.outcome } : state;
}

function asked(state: BegunFulfilment, { step, attempt, retryAt, until }: PaymentRequested): BegunFulfilment {
  const request: Asked = { step, attempt, retryAt, until, isWantedNow: false };
  switch (step) {
    case 'authorise':
      // Nothing is asked for before the stock is.
      return onTheWay(state, ({ reserved = [], ...order }) => {
        return { ...order, reserved, money: 'asked', status: 'authorising', asked: request };
      });
    case 'capture':
      return onTheWay(state, (order) => ({ ...order, status: 'capturing', asked: request }));
    case 'release':
      return state.status === 'compensating' ? { ...state, asked: request } : state;
    default:
      return step satisfies never;
  }
}

function paid(state: BegunFulfilment, { status }: PaymentSettled): BegunFulfilment {
  const settled = { ...state, money: status };
  if (settled.status === 'compensating') return undone({ ...settled, asked: undefined });
  if (settled.status !== 'authorising') return settled;
  return owesMoney(settled)
    ? { ...carried(settled), status: 'confirming' }
    : rejecting(settled, `The payment was ${status}.`);
}

function rejecting(state: BegunFulfilment, reason: string): BegunFulfilment {
  if (state.deliveryId !== undefined) return state;
  return onTheWay(state, (order) => ({ ...order, status: 'rejecting', reason }));
}

/** The next state of what is neither over nor being undone. */
function onTheWay(state: BegunFulfilment, next: (order: Carried) => BegunFulfilment): BegunFulfilment {
  return isEnding(state) ? state : next(carried(state));
}

function carried({ orderId, items, reserved, charge, money, deliveryId }: Carried): Carried {
  return { orderId, items, reserved, charge, money, deliveryId };
}

export function isEnding({ status }: FulfilmentState): boolean {
  return status === 'compensating' || status === 'completed';
}

/** Whether the gateway holds or has, or may hold, something of the customer's. */
export function owesMoney({ money }: Pick<Carried, 'money'>): boolean {
  return money === 'asked' || money === 'authorised' || money === 'captured';
}

/** Whether pieces are, or may be, set aside that nobody will get. */
export function owesStock({ goods, items, reserved }: Compensation): boolean {
  return goods !== 'settled' && (reserved ?? items).length > 0;
}

/** What it waits for; `undefined`: for nothing, or for nothing that could be late. */
export function deadlineOf(state: FulfilmentState): Deadline | undefined {
  switch (state.status) {
    case 'authorising':
    case 'capturing':
      return { name: 'payment', dueAt: state.asked.retryAt };
    case 'delivering':
      return state.awaited;
    case 'compensating':
      return state.asked === undefined ? state.awaited : { name: 'payment', dueAt: state.asked.retryAt };
    case 'none':
    case 'reserving':
    case 'confirming':
    case 'rejecting':
    case 'completed':
      return undefined;
    default:
      return state satisfies never;
  }
}
