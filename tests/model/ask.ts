import { postOf, requestIdOf, type Caller, type Command, type CommandType, type Request } from './commands.js';
import { customerMatter } from './customers.js';
import { forbidden, invalid, isRefusal, type Matter, type Refusal } from './decisions.js';
import { deliveryMatter } from './deliveries.js';
import { orderMatter } from './orders.js';
import { productMatter } from './products.js';
import type { Done, World } from './world.js';

/** What is to be answered, and the world after it. */
export interface Answered {
  readonly world: World;
  readonly answer: Refusal | (Done & { readonly isReplayed: boolean });
}

const merchants = ['merchant'] as const;
const customers = ['customer', 'operator'] as const;
const couriers = ['courier', 'operator'] as const;
const whoMay: Readonly<Record<CommandType, readonly Caller['role'][]>> = {
  list: merchants,
  reprice: merchants,
  restock: merchants,
  withdraw: merchants,
  register: customers,
  move: customers,
  erase: customers,
  place: customers,
  cancel: ['customer', 'merchant', 'operator'],
  assign: couriers,
  release: couriers,
  pickUp: couriers,
  locate: couriers,
  complete: couriers,
  fail: couriers,
  return: couriers,
};

/** What the write API promises to answer to one request after another. `newId`: that of what it makes without one. */
export function ask(world: World, request: Request, newId: string): Answered {
  const { by, command, key } = request;
  const refuse = (answer: Refusal): Answered => ({ world, answer });
  if (!whoMay[command.type].includes(by.role)) return refuse(forbidden);
  const needsKey = command.type !== 'locate';
  if (needsKey && key === null) return refuse({ status: 400, kind: 'idempotency-key-missing' });
  if (request.isBroken) return refuse(invalid('/more'));
  if (command.type === 'locate' && command.at.startsWith('9999')) return refuse(invalid('/at'));

  const { path, body } = postOf(command);
  // A position is known by its delivery and time, and to whoever reported it, whatever else the request says.
  const isPosition = command.type === 'locate';
  const payload = isPosition ? '' : JSON.stringify(body);
  const requestId = isPosition ? JSON.stringify([by, path, command.at]) : requestIdOf(request);
  const before = world.remembered.get(requestId);
  if (before !== undefined) {
    // Once the payload's hash cannot be made any more, one counts as the same that is about the same thing.
    const isForgotten = before.customerId !== null && world.customers.get(before.customerId)?.isErased === true;
    const isAnother = isForgotten ? isAboutAnother(command, before.answer, newId) : before.payload !== payload;
    if (isAnother) return refuse({ status: 422, kind: 'idempotency-key-reused' });
    return { world, answer: { ...before.answer, isReplayed: true } };
  }

  const matter = matterOf(world, request, newId);
  if (matter.refusal !== undefined) return refuse(matter.refusal);
  const { revision: currentRevision } = matter;
  if (isNew(command) && request.ifMatch !== null) return refuse(invalid('/If-Match'));
  if (!matches(request.ifMatch, currentRevision)) {
    return refuse({ status: 412, kind: 'revision-mismatch', currentRevision });
  }
  const decided = matter.decide();
  if (isRefusal(decided)) return refuse(decided);
  const answer = answerOf(decided, request, matter);
  if (decided === world) return { world: decided, answer: { ...answer, isReplayed: false } };
  const remembered = new Map([...decided.remembered, [requestId, { payload, customerId: matter.customerId, answer }]]);
  return { world: { ...decided, remembered }, answer: { ...answer, isReplayed: false } };
}

function matterOf(world: World, { by, command }: Request, derivedId: string): Matter {
  switch (command.type) {
    case 'list':
    case 'reprice':
    case 'restock':
    case 'withdraw':
      return productMatter(world, by, command, derivedId);
    case 'register':
    case 'move':
    case 'erase':
      return customerMatter(world, by, command, derivedId);
    case 'place':
    case 'cancel':
      return orderMatter(world, by, command, derivedId);
    default:
      return deliveryMatter(world, by, command);
  }
}

function matches(ifMatch: string | null, revision: number): boolean {
  if (ifMatch === null) return true;
  return ifMatch === '*' ? revision >= 0 : ifMatch === `"${revision}"`;
}

function isNew(command: Command): command is Extract<Command, { readonly type: keyof typeof idNames }> {
  return command.type in idNames;
}

const idNames = { list: 'productId', register: 'customerId', place: 'orderId' } as const;

/** Whether a command makes another thing than was made when it was answered so. */
function isAboutAnother(command: Command, { body }: Done, newId: string): boolean {
  if (!isNew(command)) return false;
  const idName = idNames[command.type];
  return body[idName] !== ((command as Partial<Record<typeof idName, string>>)[idName] ?? newId);
}

function answerOf(world: World, { command }: Request, { id, idName }: Matter): Done {
  const status = isNew(command) ? 201 : 200;
  if (idName === 'productId') return { status, body: { productId: id, revision: world.products.get(id)!.revision } };
  if (idName === 'customerId') return { status, body: { customerId: id, revision: world.customers.get(id)!.revision } };
  const thing =
    idName === 'orderId' ? world.orders.get(id)! : world.deliveries.get((command as { orderId: string }).orderId)!;
  return { status, body: { [idName]: id, status: thing.status, revision: thing.revision } };
}
