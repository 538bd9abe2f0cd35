import { expect } from '@jest/globals';
import type { Decider, DomainEvent } from '@waybill/shared-kernel/decider.js';
import type { WaybillError } from '@waybill/shared-kernel/errors.js';

/** Given what has happened, when this is asked, then … : how the tests of an aggregate speak. */
export function given<Command, State, Event extends DomainEvent>(
  decider: Decider<Command, State, Event>,
  history: readonly Event[],
) {
  const state = history.reduce(decider.evolve, decider.initialState);
  return {
    state,
    when: (command: Command) => ({
      /** Exactly these events, and none when the same is asked again (unless `again` says otherwise). */
      then: (...events: Event[]) => {
        expect(decider.decide(command, state)).toEqual(events);
        return {
          butNotAgain: () =>
            given(decider, [...history, ...events])
              .when(command)
              .then(),
        };
      },
      /** A refusal of this kind, whose data has these fields. */
      refused: (kind: abstract new (...args: never[]) => WaybillError, fields: Record<string, unknown> = {}) => {
        let refusal: unknown;
        try {
          decider.decide(command, state);
        } catch (error) {
          refusal = error;
        }
        expect(refusal).toBeInstanceOf(kind);
        expect(refusal).toMatchObject(fields);
      },
    }),
  };
}
