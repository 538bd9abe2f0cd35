import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import type { Decider, DomainEvent } from '@waybill/shared-kernel/decider.js';
import { currentVersions } from '@waybill/shared-kernel/events/catalogue.js';
import { product } from '../catalogue/product.js';
import { customer } from '../customers/customer.js';
import { delivery } from '../delivery/delivery.js';

/**
 * What `evolve` makes of every event there is, at every version of the state. When this fails because an event is new
 * or a state has changed, snapshots that are stored no longer say what this program would: raise the decider's
 * `stateVersion`, then put the new digest here. Never the digest alone.
 */
const states = {
  Delivery: { of: delivery, events: /^Delivery/, version: 1, digest: 'dDbrRo3Wi508iHM21C3W1YkBhS53G3ZYAClrfPcWRfw' },
  Product: {
    of: product,
    events: /^(Product|Stock)/,
    version: 2,
    digest: 'GfJH3xZ_atT7GVdUb04RBkC6romZwyjj17k2V-IWWj8',
  },
  Customer: { of: customer, events: /^Customer/, version: 2, digest: 'XT31zaJjir6wIaeE2NhH1eBMVRHQSAv1f_gNNnVKm8k' },
};

const golden = new URL('../../../shared-kernel/events/golden/', import.meta.url);

test.each(Object.entries(states))(
  'a %s is of the version that its snapshots say',
  (_, { of, events: its, version, digest }) => {
    const events = Object.entries(currentVersions).flatMap(([type, schemaVersion]) =>
      its.test(type)
        ? [JSON.parse(readFileSync(new URL(`${type}.${schemaVersion}.json`, golden), 'utf8')) as DomainEvent]
        : [],
    );
    const made = statesOf(of as Decider<unknown, unknown, DomainEvent>, events);
    expect(made).toEqual(JSON.parse(JSON.stringify(made)));
    expect([of.stateVersion, createHash('sha256').update(JSON.stringify(made)).digest('base64url')]).toEqual([
      version,
      digest,
    ]);
  },
);

/** After every one of the events, after every two, and after every three that begin with the first. */
function statesOf({ evolve, initialState }: Decider<unknown, unknown, DomainEvent>, events: readonly DomainEvent[]) {
  const [first] = events;
  if (first === undefined) throw new Error('There are no events of it.');
  const begun = evolve(initialState, first);
  return events.flatMap((second) => {
    const after = evolve(begun, second);
    return [evolve(initialState, second), after, ...events.map((third) => evolve(after, third))];
  });
}
