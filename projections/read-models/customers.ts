import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { Sealed } from '@waybill/shared-kernel/personal-data.js';
import type { Fields } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Revisions, Sections } from '@waybill/shared-kernel/projection.js';
import { streamName } from '@waybill/shared-kernel/stream.js';

interface CustomerSection {
  readonly registered: {
    readonly customerId: string;
    readonly name: Sealed | null;
    readonly phone: Sealed | null;
    readonly at: string;
  } | null;
  readonly address: Sealed | null;
  /** Absent until then. */
  readonly erased?: true;
}

const untouched: CustomerSection = { registered: null, address: null };

function fold(before: unknown, event: KnownEvent): CustomerSection {
  const section = (before as CustomerSection | undefined) ?? untouched;
  switch (event.type) {
    case 'CustomerRegistered': {
      const { customerId, name, phone, address } = event.data;
      return { ...section, registered: { customerId, name, phone, at: event.occurredAt }, address };
    }
    case 'CustomerAddressChanged':
      return { ...section, address: event.data.address };
    case 'CustomerErased': {
      const { registered } = section;
      return { registered: registered && { ...registered, name: null, phone: null }, address: null, erased: true };
    }
    default:
      return section;
  }
}

function sectionOf(sections: Sections): CustomerSection | undefined {
  return sections.customer as CustomerSection | undefined;
}

function fields(sections: Sections): Fields {
  return { single: { registeredAt: sectionOf(sections)?.registered?.at ?? null }, multiple: {} };
}

/** Customers by id, one stream each. Everything personal stays sealed. */
export const customers: Projection = {
  collection: {
    name: 'customers',
    version: 1,
    fields: { registeredAt: 'text' },
    multiple: [],
    order: 'registeredAt',
    indexes: [],
  },
  categories: ['customer'],
  key: (event) => event.partitionKey,
  streams: (customerId) => [streamName('customer', customerId)],
  fold,
  fields,
};

/** A customer as the contract shows it, without `freshness`; name, phone and address still sealed. */
export interface CustomerView {
  readonly customerId: string;
  readonly name: Sealed | null;
  readonly phone: Sealed | null;
  readonly address: Sealed | null;
  /** Then name, phone and address are null. */
  readonly erased: boolean;
  readonly revision: number;
}

/** The customer of a document, `undefined` where its `CustomerRegistered` is not in it. */
export function customerView(sections: Sections, revisions: Revisions): CustomerView | undefined {
  const section = sectionOf(sections);
  if (section === undefined || section.registered === null) return undefined;
  const { customerId, name, phone } = section.registered;
  const { address, erased = false } = section;
  return { customerId, name, phone, address, erased, revision: revisions.customer ?? -1 };
}
