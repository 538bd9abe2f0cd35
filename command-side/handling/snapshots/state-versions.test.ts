import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import type { Decider, DomainEvent } from '@waybill/shared-kernel/decider.js';
import { currentVersions } from '@waybill/shared-kernel/events/catalogue.js';
import { product } from '../../catalogue/product.js';
import { customer } from '../../customers/customer.js';
import { delivery } from '../../delivery/delivery.js';

/**
 * What `evolve` makes of every event there is, at every version of the state. When this fails because an event is new
 * or a state has changed, snapshots that are stored no longer say what this program would: raise the decider's
 * `stateVersion`, then put the new digest here. Never the digest alone.
 */
const states = {
  Delivery: { of: delivery, events: /^Delivery/, version: 4, digest: 'Qfgcd7jZK5CM3r6zmDfRkZxj-WXegUGdIojM-l2cCF8' },
  Product: {
    of: product,
    events: /^(Product|Stock)/,
    // Of the same state as 2, whose snapshots held all of a day's requests.
    version: 3,
    digest: 'GfJH3xZ_atT7GVdUb04RBkC6romZwyjj17k2V-IWWj8',
  },
  Customer: { of: customer, events: /^Customer/, version: 3, digest: 'LVtaC_9PiU1mOzwGmyV1i3qTFQcTAxk7jGcEe6dMl5o' },
};

const golden = new URL('../../../../shared-kernel/events/golden/', import.meta.url);

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
