import type { Caller, Role } from '@waybill/infra/http/identity/caller.js';
import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import { seal } from '@waybill/shared-kernel/personal-data.js';
import { timestamp } from '@waybill/shared-kernel/ports/clock.js';
import { isStreamFault } from '@waybill/shared-kernel/stream-faults.js';
import type { CommandRequest, Handled } from '../handling/handle-command.js';
import { AddressBody, isSameAddress, sealAddress } from '../http/address-body.js';
import { commandAnswer } from '../http/command-answer.js';
import { repeatableRequest, type RequestOn } from '../http/command-request.js';
import { readCommand, readNothing } from '../http/read-command.js';
import { requireActingRole } from '../http/require-acting-role.js';
import { IsId, IsNested, IsText, Optional } from '../http/rules.js';
import type { Aggregates } from '../handling/aggregates.js';
import type { CommandHandler } from '../handling/handle-command.js';
import type { Randomness, WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import type { Erasures } from './erasures.js';
import { customerErased, type CustomerCommand, type CustomerState, type UnderWay } from './customer.js';

const none: UnderWay = { theirs: [], ofUnknown: [] };

export class RegisterCustomerBody {
  @Optional()
  @IsId()
  customerId?: string;

  @IsText(200)
  name!: string;

  @IsText(40)
  phone!: string;

  @IsNested(() => AddressBody, 'an address')
  address!: AddressBody;
}

export class ChangeAddressBody {
  @IsNested(() => AddressBody, 'an address')
  address!: AddressBody;
}

export interface CustomerRoutesDependencies {
  readonly handler: CommandHandler;
  readonly aggregates: Aggregates;
  readonly erasures: Erasures;
  readonly keys: KeyStore;
  readonly clock: WallClock;
  readonly randomness: Randomness;
  /** Base URL of the read API, without a slash at its end. */
  readonly publicReadUrl: string;
}

/** Customers, by themselves or an operator. Who is a customer is nobody else's business: what is not theirs is 404. */
export function customerRoutes(dependencies: CustomerRoutesDependencies): readonly Route[] {
  const { handler, aggregates, erasures, keys, clock, randomness, publicReadUrl } = dependencies;
  const { customers } = aggregates;

  const keyOf = async (customerId: string): Promise<Uint8Array> => {
    const key = await keys.find(customerId);
    if (key === undefined) throw customerErased(customerId);
    return key;
  };

  /** Towards one who is there. */
  const roleTowards = (request: ApiRequest, id: string, status: CustomerState['status']): Role => {
    if (status === 'none') throw new NotFound('customer', id);
    return requireActingRole(request, { customer: id }, 'customer', id);
  };

  const register = async (request: ApiRequest): Promise<Answer> => {
    const asked = repeatableRequest(request);
    const body = readCommand(RegisterCustomerBody, request.body);
    const chosenId = body.customerId ?? ownId(request.caller);
    const handled = await handler.create(customers, asked, {
      chosenId,
      authorise: () => requireActingRole(request, { customer: chosenId }, 'customer', chosenId ?? ''),
      subject: (id) => id,
      createsKey: true,
      command: async (id): Promise<CustomerCommand> => {
        const key = await keyOf(id);
        const sealed = (value: string) => seal(id, key, value, randomness);
        return {
          type: 'RegisterCustomer',
          customer: {
            customerId: id,
            name: sealed(body.name),
            phone: sealed(body.phone),
            address: sealAddress(body.address, id, key, randomness),
          },
        };
      },
    });
    return commandAnswer(201, handled, { customerId: handled.id }, `${publicReadUrl}/v1/customers/${handled.id}`);
  };

  const changeAddress = async (request: RequestOn<'customerId'>): Promise<Answer> => {
    const id = request.params.customerId;
    const { address } = readCommand(ChangeAddressBody, request.body);
    const handled = await handler.handle(customers, repeatableRequest(request), {
      id,
      authorise: ({ status }) => roleTowards(request, id, status),
      partitionKey: () => id,
      subject: () => id,
      command: async (state, { occurredAt: at }): Promise<CustomerCommand> => {
        const key = await keyOf(id);
        // Sealed twice it would look new, so the one that is there is named again.
        const same = state.status === 'registered' && isSameAddress(state.address, key, address);
        const sealed = same ? state.address : sealAddress(address, id, key, randomness);
        return { type: 'ChangeCustomerAddress', customerId: id, address: sealed, at };
      },
    });
    return commandAnswer(200, handled, { customerId: id });
  };

  const erase = async (request: RequestOn<'customerId'>): Promise<Answer> => {
    const id = request.params.customerId;
    readNothing(request.body);
    const asked = repeatableRequest(request);
    const handled = await handler
      .handle(customers, asked, {
        id,
        authorise: ({ status }) => roleTowards(request, id, status),
        partitionKey: () => id,
        subject: () => id,
        command: async ({ status }, { actor }): Promise<CustomerCommand> => {
          const ordersUnderWay = status === 'registered' ? await erasures.ordersUnderWay(id, actor.role) : none;
          return { type: 'EraseCustomer', customerId: id, ordersUnderWay };
        },
      })
      .catch((error: unknown) => {
        if (!isStreamFault(error)) throw error;
        return eraseUnreadable(request, asked, id);
      });
    // Also where it is said again: what was answered before may not have been carried out to its end.
    await erasures.carryOut(id);
    return commandAnswer(200, handled, { customerId: id });
  };

  /** A customer whose stream can no longer be read, for callers who may know that. */
  const eraseUnreadable = async (
    request: ApiRequest,
    { correlationId, traceparent, matches }: CommandRequest,
    id: string,
  ): Promise<Handled<CustomerState>> => {
    const role = requireActingRole(request, { customer: id }, 'customer', id);
    const occurredAt = timestamp(clock);
    const actor = { sub: request.caller.sub, role };
    const cause = { id: randomness.uuid(), occurredAt, correlationId, traceparent, actor, request: undefined };
    const recorded = await erasures.eraseUnread(id, cause, matches ?? (() => true));
    const handled = { id, stream: customers.streamOf(id), partitionKey: id, replayed: false, unchanged: false };
    return { ...handled, ...recorded, state: { status: 'erased', customerId: id } };
  };

  return [
    route('POST', '/v1/customers', register),
    route('POST', '/v1/customers/:customerId/address', changeAddress),
    route('POST', '/v1/customers/:customerId/erasure', erase),
  ];
}

/** The id of a caller who registers themselves. */
function ownId({ sub, roles }: Caller): string | undefined {
  return roles.includes('operator') ? undefined : sub;
}
