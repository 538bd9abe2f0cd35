import fc from 'fast-check';
import type { Caller, Command, CommandType, Line, Money, Request } from './commands.js';
import type { Delivery, Order, World } from './world.js';

/**
 * What somebody means to ask. Numbers choose among what there is when it is asked, so that it goes on meaning something
 * while fast-check makes a run that fails shorter.
 */
export type Intent = New | Again;

interface New {
  readonly type: CommandType;
  /** Somebody, or whoever may. */
  readonly by: number | 'whoever may';
  readonly thing: number;
  readonly choice: number;
  readonly lines: readonly { readonly product: number; readonly quantity: number }[];
  readonly ifMatch: IfMatch;
  readonly flaw: 'none' | 'no key' | 'broken';
}

type IfMatch = 'absent' | 'current' | 'stale' | '*';

/** The same request once more, or nearly. */
interface Again {
  readonly again: number;
  readonly with: 'nothing new' | 'another payload' | 'another caller' | 'another role' | 'a stale If-Match';
}

/** How often each is asked. */
const types: Readonly<Record<CommandType, number>> = {
  list: 2,
  reprice: 2,
  restock: 3,
  withdraw: 1,
  register: 1,
  move: 2,
  erase: 3,
  place: 8,
  cancel: 4,
  assign: 7,
  release: 2,
  pickUp: 6,
  locate: 4,
  complete: 3,
  fail: 3,
  return: 2,
};

/** The largest choice of a thing. Beyond `fitting` it may be any, else it is one that the command can do something with. */
const most = 19;
const fitting = 15;

const one: fc.Arbitrary<New> = fc.record({
  type: fc.oneof(
    ...Object.entries(types).map(([type, weight]) => ({ weight, arbitrary: fc.constant(type as CommandType) })),
  ),
  by: fc.oneof({ weight: 5, arbitrary: fc.constant('whoever may' as const) }, { weight: 1, arbitrary: fc.nat(7) }),
  thing: fc.nat(most),
  choice: fc.nat(9),
  lines: fc.array(fc.record({ product: fc.nat(5), quantity: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 1,
    maxLength: 3,
  }),
  ifMatch: fc.oneof(
    { weight: 6, arbitrary: fc.constant<IfMatch>('absent') },
    { weight: 2, arbitrary: fc.constantFrom<IfMatch>('current', 'stale', '*') },
  ),
  flaw: fc.oneof(
    { weight: 25, arbitrary: fc.constant('none' as const) },
    { weight: 1, arbitrary: fc.constantFrom('no key' as const, 'broken' as const) },
  ),
});

const again: fc.Arbitrary<Again> = fc.record({
  again: fc.nat(30),
  with: fc.constantFrom('nothing new', 'another payload', 'another caller', 'another role', 'a stale If-Match'),
});

export const intent: fc.Arbitrary<Intent> = fc.oneof({ weight: 4, arbitrary: one }, { weight: 1, arbitrary: again });

const callers: readonly Caller[] = [
  { role: 'customer', sub: 'ann' },
  { role: 'merchant', sub: 'mia' },
  { role: 'courier', sub: 'cal' },
  { role: 'operator', sub: 'op' },
  { role: 'customer', sub: 'bob' },
  { role: 'merchant', sub: 'max' },
  { role: 'courier', sub: 'coe' },
  { role: 'auditor', sub: 'aud' },
];
const [ann, mia, cal, op, bob, max, coe] = callers as [Caller, Caller, Caller, Caller, Caller, Caller, Caller, Caller];

const prices: readonly Money[] = [
  { amount: 500, currency: 'KRW' },
  { amount: 0, currency: 'KRW' },
  { amount: 700, currency: 'EUR' },
  { amount: 800, currency: 'KRW' },
];

const table: readonly (readonly [Caller, Command])[] = [
  [mia, { type: 'list', productId: 'p0', name: 'Tea', unitPrice: { amount: 500, currency: 'KRW' } }],
  [max, { type: 'list', productId: 'p1', name: 'Cup', unitPrice: { amount: 800, currency: 'KRW' }, stock: 9 }],
  [mia, { type: 'list', productId: 'p2', name: 'Pot', unitPrice: { amount: 700, currency: 'EUR' }, stock: 3 }],
  [ann, { type: 'register', customerId: 'ann', street: 'Harbour Road' }],
  [op, { type: 'register', customerId: 'bob', street: 'Harbour Road' }],
  [ann, { type: 'place', customerId: 'ann', lines: [{ productId: 'p0', quantity: 1 }], token: 'tok_approve' }],
  [bob, { type: 'place', customerId: 'bob', lines: [{ productId: 'p1', quantity: 2 }], token: 'tok_approve' }],
];

/** What is asked first, so that there is something to be asked about. */
export const beginnings: readonly Request[] = table.map(([by, command], index) => {
  return { by, command, key: `table ${index}`, ifMatch: null, isBroken: false };
});

/** The request that an intent comes to after others were sent. */
export function requestOf(intent: Intent, world: World, sent: readonly Request[]): Request {
  if ('again' in intent) {
    return repeated(chosen([...sent].reverse(), intent.again), intent.with);
  }
  const { choice, flaw } = intent;
  const command = commandOf(intent, world);
  return {
    by: intent.by === 'whoever may' ? whoMay(command, world, choice) : chosen(callers, intent.by),
    command,
    key: flaw === 'no key' ? null : `key ${sent.length}`,
    ifMatch: ifMatchOf(intent.ifMatch, command, world),
    isBroken: flaw === 'broken',
  };
}

function repeated(request: Request, how: Again['with']): Request {
  switch (how) {
    case 'nothing new':
      return request;
    case 'another payload':
      return { ...request, command: altered(request.command) };
    case 'another caller':
      return { ...request, by: chosen(callers, callers.findIndex(({ sub }) => sub === request.by.sub) + 4) };
    case 'another role':
      return { ...request, by: { role: 'operator', sub: request.by.sub } };
    case 'a stale If-Match':
      return { ...request, ifMatch: '"77"' };
    default:
      return how satisfies never;
  }
}

/** Another payload at the same path, where the command has one. */
function altered(command: Command): Command {
  switch (command.type) {
    case 'list':
      return { ...command, productId: 'p7', name: 'Another' };
    case 'reprice':
      return { ...command, unitPrice: { amount: 1, currency: 'KRW' } };
    case 'restock':
      return { ...command, change: command.change + 7 };
    case 'register':
    case 'move':
      return { ...command, street: 'Elsewhere' };
    case 'place':
      return { ...command, orderId: 'o7' };
    case 'cancel':
    case 'fail':
      return { ...command, reason: 'Another' };
    case 'complete':
      return { ...command, proof: 'Another' };
    case 'assign':
      return { ...command, courierId: command.courierId === 'cal' ? 'coe' : 'cal' };
    default:
      return command;
  }
}

function commandOf({ type, thing, choice, lines }: New, world: World): Command {
  const any = fitting < thing;
  const pick = <Thing>(things: ReadonlyMap<string, Thing>, fits: (of: Thing) => boolean, none: string): string => {
    const those = [...things].filter(([, one]) => any || fits(one)).map(([id]) => id);
    return chosen([...those.reverse(), ...(any || those.length === 0 ? [none] : [])], thing);
  };
  const productId = pick(world.products, ({ isWithdrawn }) => !isWithdrawn, 'p9');
  const customerId = pick(world.customers, ({ isErased }) => !isErased, 'cat');
  const standing: ReadonlyMap<string, Standing> = type === 'cancel' ? world.orders : world.deliveries;
  const orderId = pick(standing, (one) => isFitting(type, one), 'o9');
  switch (type) {
    case 'list':
      return {
        type,
        ...(choice < 7 && { productId: `p${thing % 4}` }),
        name: 'Tea',
        unitPrice: chosen(prices, choice),
        ...(choice % 3 > 0 && { stock: choice }),
      };
    case 'reprice':
      return { type, productId, unitPrice: chosen(prices, choice) };
    case 'restock':
      return { type, productId, change: chosen([1, 5, -1, -4], choice) };
    case 'withdraw':
      return { type, productId };
    case 'register':
      return { type, ...(choice < 6 && { customerId: chosen(['ann', 'bob', 'cat'], thing) }), street: 'Harbour Road' };
    case 'move':
      return { type, customerId, street: chosen(['Harbour Road', 'Hill', 'Mill'], choice) };
    case 'erase':
      return { type, customerId };
    case 'place': {
      const first = world.products.get(productId)?.price.currency;
      const likely = [...world.products].filter(
        ([, { isWithdrawn, price }]) => any || (!isWithdrawn && price.currency === first),
      );
      const products = [productId, ...likely.map(([id]) => id), ...(any ? ['p9'] : [])];
      const wanted = lines.map(({ product, quantity }): Line => ({ productId: chosen(products, product), quantity }));
      const token = choice % 4 === 3 ? 'tok_decline' : 'tok_approve';
      return { type, ...(choice < 3 && { orderId: `o${thing % 4}` }), customerId, lines: wanted, token };
    }
    case 'cancel':
      return { type, orderId, reason: 'Too late' };
    case 'assign':
      return { type, orderId, courierId: chosen(['cal', 'coe'], choice) };
    case 'release':
    case 'pickUp':
    case 'return':
      return { type, orderId };
    case 'locate':
      return { type, orderId, at: choice === 9 ? '9999-01-01T00:00:00.000Z' : `2025-01-01T09:0${choice}:00.000Z` };
    case 'complete':
      return { type, orderId, proof: 'Signed' };
    case 'fail':
      return { type, orderId, reason: 'Nobody there', next: choice % 2 === 0 ? 'return' : 'retry' };
    default:
      return type satisfies never;
  }
}

type Standing = Pick<Order | Delivery, 'status'>;

/** Whether a command of this kind does something with an order or a delivery that stands like this. */
function isFitting(type: CommandType, { status }: Standing): boolean {
  const from: Partial<Record<CommandType, readonly string[]>> = {
    cancel: ['placed', 'confirmed'],
    assign: ['open'],
    release: ['assigned'],
    pickUp: ['assigned'],
    locate: ['assigned', 'picked_up', 'failed'],
    complete: ['picked_up'],
    fail: ['picked_up'],
    return: ['failed'],
  };
  return from[type]?.includes(status) ?? true;
}

/** Of those who may, one way or another. */
function whoMay(command: Command, world: World, choice: number): Caller {
  switch (command.type) {
    case 'list':
      return chosen([mia, max], choice);
    case 'reprice':
    case 'restock':
    case 'withdraw':
      return world.products.get(command.productId)?.merchantId === 'max' ? max : mia;
    case 'register':
    case 'move':
    case 'erase':
    case 'place':
      return choice === 0 ? op : command.customerId === 'bob' ? bob : command.customerId === 'ann' ? ann : op;
    case 'cancel': {
      const order = world.orders.get(command.orderId);
      const merchant = order?.merchantIds[0] === 'max' ? max : mia;
      return chosen([op, order?.customerId === 'bob' ? bob : ann, merchant], choice);
    }
    case 'assign':
      return choice === 0 ? op : command.courierId === 'coe' ? coe : cal;
    default: {
      const courierId = world.deliveries.get(command.orderId)?.courierId;
      return choice === 0 ? op : courierId === 'coe' ? coe : cal;
    }
  }
}

function ifMatchOf(ifMatch: IfMatch, command: Command, world: World): string | null {
  if (ifMatch === 'absent') return null;
  if (ifMatch === '*') return '*';
  const revision = revisionOf(command, world);
  return `"${ifMatch === 'current' ? revision : revision + 1}"`;
}

function revisionOf(command: Command, { products, customers, orders, deliveries }: World): number {
  const thing = ((): { readonly revision: number } | undefined => {
    if (command.type === 'cancel') return orders.get(command.orderId);
    if (command.type === 'place') return undefined;
    if ('productId' in command) return products.get(command.productId ?? '');
    if ('customerId' in command) return customers.get(command.customerId ?? '');
    return 'orderId' in command ? deliveries.get(command.orderId) : undefined;
  })();
  return thing?.revision ?? -1;
}

function chosen<Kind>(among: readonly Kind[], choice: number): Kind {
  return among[choice % among.length]!;
}
