import type { Caller, Role } from '@waybill/infra/http/caller.js';
import { route, type Answer, type ApiRequest, type Route } from '@waybill/infra/http/route.js';
import { NotFound } from '@waybill/shared-kernel/errors.js';
import { aggregateIdOf } from '@waybill/shared-kernel/idempotency.js';
import { seal } from '@waybill/shared-kernel/personal-data.js';
import { AddressBody, isSameAddress, sealAddress } from '../http/address-body.js';
import { commandAnswer } from '../http/command-answer.js';
import { repeatableRequest, type RequestOn } from '../http/command-request.js';
import { readCommand, readNothing } from '../http/read-command.js';
import { requireActingRole } from '../http/require-acting-role.js';
import { IsId, IsNested, IsText, Optional } from '../http/rules.js';
import type { WriteMeans } from '../http/write-means.js';
import { customerErased, type CustomerCommand, type CustomerState } from './customer.js';

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

/** Customers, by themselves or an operator. Who is a customer is nobody else's business: what is not theirs is 404. */
export function customerRoutes(means: WriteMeans): readonly Route[] {
  const { handler, aggregates, erasures, keys, randomness, publicReadUrl } = means;
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
    const derivedId = aggregateIdOf(asked.id);
    const id = body.customerId ?? ownId(request.caller) ?? derivedId;
    const handled = await handler.handle(customers, asked, {
      id,
      derivedId,
      authorise: () => requireActingRole(request, { customer: id }, 'customer', id),
      partitionKey: () => id,
      subject: () => id,
      createsKey: true,
      command: async (): Promise<CustomerCommand> => {
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
      command: async (state): Promise<CustomerCommand> => {
        const key = await keyOf(id);
        // Sealed twice it would look new, so the one that is there is named again.
        const same = state.status === 'registered' && isSameAddress(state.address, key, address);
        const sealed = same ? state.address : sealAddress(address, id, key, randomness);
        return { type: 'ChangeCustomerAddress', customerId: id, address: sealed };
      },
    });
    return commandAnswer(200, handled, { customerId: id });
  };

  const erase = async (request: RequestOn<'customerId'>): Promise<Answer> => {
    const id = request.params.customerId;
    readNothing(request.body);
    const handled = await handler.handle(customers, repeatableRequest(request), {
      id,
      authorise: ({ status }) => roleTowards(request, id, status),
      partitionKey: () => id,
      subject: () => id,
      command: async ({ status }): Promise<CustomerCommand> => {
        const ordersUnderWay = status === 'registered' ? await erasures.ordersUnderWay(id) : [];
        return { type: 'EraseCustomer', customerId: id, ordersUnderWay };
      },
    });
    // Also where it is said again: what was answered before may not have been carried out to its end.
    await erasures.carryOut(id);
    return commandAnswer(200, handled, { customerId: id });
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
