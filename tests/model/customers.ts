import type { Caller, Command } from './commands.js';
import {
  againstRule,
  idTaken,
  forbidden,
  isCustomerOrOperator,
  notFound,
  type Decision,
  type Matter,
} from './decisions.js';
import { recorded, type Customer, type World } from './world.js';

type OnCustomer = Extract<Command, { readonly type: 'register' | 'move' | 'erase' }>;

const underWay = ['placed', 'confirmed', 'out_for_delivery'];

/** What a command means for a customer. */
export function customerMatter(world: World, by: Caller, command: OnCustomer, derivedId: string): Matter {
  const id = command.customerId ?? (by.role === 'operator' ? derivedId : by.sub);
  const customer = world.customers.get(id);
  const of = { id, idName: 'customerId', revision: customer?.revision ?? -1, customerId: id };
  const isTheirs = isCustomerOrOperator(by, id);
  if (command.type === 'register') {
    const { street } = command;
    return { ...of, refusal: isTheirs ? undefined : forbidden, decide: () => register(world, id, customer, street) };
  }
  if (customer === undefined || !isTheirs) return { ...of, refusal: notFound, decide: () => notFound };
  return { ...of, decide: () => change(world, id, customer, command) };
}

function register(world: World, id: string, customer: Customer | undefined, street: string): Decision {
  if (customer?.isErased === true) return againstRule('customer-erased');
  return customer === undefined ? recorded(world, 'customers', id, { street, isErased: false }) : idTaken;
}

function change(
  world: World,
  id: string,
  customer: Customer,
  command: Exclude<OnCustomer, { type: 'register' }>,
): Decision {
  if (command.type === 'erase') {
    if (customer.isErased) return world;
    const theirs = [...world.orders.values()].filter(({ customerId }) => customerId === id);
    if (theirs.some(({ status }) => underWay.includes(status))) return againstRule('orders-under-way');
    return recorded(world, 'customers', id, { ...customer, isErased: true });
  }
  if (customer.isErased) return againstRule('customer-erased');
  const { street } = command;
  return customer.street === street ? world : recorded(world, 'customers', id, { ...customer, street });
}
