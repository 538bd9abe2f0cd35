import type { Decider } from '@waybill/shared-kernel/decider.js';
import type { FulfilmentEvent, SuspensionEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { fulfilment, type Notice } from './fulfilment.js';
import type { FulfilmentState } from './fulfilment-state.js';

/** A fulfilment, and what its stream tells beside it. */
export interface Fulfilment {
  readonly progress: FulfilmentState;
  /** When that was reached, RFC 3339 UTC; empty before there is anything. */
  readonly since: string;
  /** Whether its stream speaks of suspensions: who reads on then knows whether one lasts. */
  readonly wasSuspended: boolean;
  /** Of the order's placement; empty before there is anything. */
  readonly correlationId: string;
}

/** An event of the stream with what the state keeps of its envelope. */
export type FulfilmentHistory = (FulfilmentEvent | SuspensionEvent) &
  Partial<Pick<NewEvent, 'occurredAt' | 'correlationId'>>;

export const fulfilmentStream: Decider<Notice, Fulfilment, FulfilmentHistory> = {
  initialState: { progress: fulfilment.initialState, since: '', wasSuspended: false, correlationId: '' },
  decide: (notice, { progress }) => fulfilment.decide(notice, progress),
  evolve: (state, event) => {
    switch (event.type) {
      case 'FulfilmentSuspended':
      case 'FulfilmentResumed':
        return { ...state, wasSuspended: true };
      default: {
        const progress = fulfilment.evolve(state.progress, event);
        const since = progress.status === state.progress.status ? state.since : (event.occurredAt ?? '');
        return { ...state, progress, since, correlationId: state.correlationId || (event.correlationId ?? '') };
      }
    }
  },
};
