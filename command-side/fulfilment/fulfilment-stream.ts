import type { Decider } from '@waybill/shared-kernel/decider.js';
import type { FulfilmentEvent, SuspensionEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import { fulfilment, type FulfilmentState } from './fulfilment.js';

/** A fulfilment, and whether its stream speaks of suspensions: who reads on then knows whether one lasts. */
export interface Fulfilment {
  readonly progress: FulfilmentState;
  readonly wasSuspended: boolean;
}

export const fulfilmentStream: Decider<KnownEvent, Fulfilment, FulfilmentEvent | SuspensionEvent> = {
  initialState: { progress: fulfilment.initialState, wasSuspended: false },
  decide: (event, { progress }) => fulfilment.decide(event, progress),
  evolve: (state, event) => {
    switch (event.type) {
      case 'FulfilmentSuspended':
      case 'FulfilmentResumed':
        return { ...state, wasSuspended: true };
      default:
        return { ...state, progress: fulfilment.evolve(state.progress, event) };
    }
  },
};
