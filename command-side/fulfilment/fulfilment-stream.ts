import type { Decider } from '@waybill/shared-kernel/decider.js';
import type { FulfilmentEvent, SuspensionEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import type { NewEvent } from '@waybill/shared-kernel/message.js';
import { fulfilment, type Notice } from './fulfilment.js';
import { notBegun, standingAfter, type Standing } from './worklist/worklist.js';

/** A fulfilment, and what its stream tells beside it. */
export interface Fulfilment extends Standing {
  /** Whether its stream speaks of suspensions: who reads on then knows whether one lasts. */
  readonly wasSuspended: boolean;
  /** Of the order's placement; empty before there is anything. */
  readonly correlationId: string;
}

/** An event of the stream with what the state keeps of its envelope. */
export type FulfilmentHistory = (FulfilmentEvent | SuspensionEvent) &
  Partial<Pick<NewEvent, 'occurredAt' | 'correlationId'>>;

export const fulfilmentStream: Decider<Notice, Fulfilment, FulfilmentHistory> = {
  initialState: { ...notBegun, wasSuspended: false, correlationId: '' },
  decide: (notice, { progress }) => fulfilment.decide(notice, progress),
  evolve: (state, event) => {
    switch (event.type) {
      case 'FulfilmentSuspended':
      case 'FulfilmentResumed':
        return { ...state, wasSuspended: true };
      default: {
        const correlationId = state.correlationId || (event.correlationId ?? '');
        return { ...state, ...standingAfter(state, event), correlationId };
      }
    }
  },
};
