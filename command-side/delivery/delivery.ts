import type { Decider } from '@waybill/shared-kernel/decider.js';
import { LimitReached, NotFound, RuleViolated } from '@waybill/shared-kernel/errors.js';
import type { DeliveryEvent, DeliveryScheduled, OfDelivery } from '@waybill/shared-kernel/events/delivery.js';
import { importedHistory } from '../handling/imported-history.js';
import { noReports, reported, withReport, type Reports } from './reports.js';

/** What can be asked of a delivery. */
export type DeliveryCommand =
  | { readonly type: 'ScheduleDelivery'; readonly delivery: DeliveryScheduled }
  | On<'AssignDelivery', { readonly courierId: string }>
  | On<'ReleaseDelivery'>
  /** The order's stream has recorded that it left with this courier; whatever happened here since, it did. */
  | On<'RecordPickUp', { readonly courierId: string }>
  | On<'ReportPosition', PositionReport>
  | On<'CompleteDelivery', { readonly proof: string | null }>
  | On<'FailDelivery', { readonly reason: string; readonly next: 'retry' | 'return' }>
  | On<'ReturnDelivery'>
  | On<'CancelDelivery', { readonly reason: string }>;

/** WGS 84 degrees. */
export interface PositionReport {
  readonly latitude: number;
  readonly longitude: number;
  /** When the courier was there, RFC 3339 UTC with milliseconds. */
  readonly at: string;
  /** Whether the log has one of this second by the same courier; without it, any of this second is taken for the same. */
  readonly inLog?: boolean;
}

/** Positions of one delivery, whoever reports them: a second apart, those of five and a half hours. */
export const mostPositions = 20_000;

/** How often one delivery may be assigned: whoever gives it back as often has no use for it. */
export const mostAssignments = 50;

type On<Type extends string, Fields = unknown> = { readonly type: Type; readonly deliveryId: string } & Fields;

export type DeliveryState = { readonly status: 'none' } | ScheduledDelivery;

/** A delivery that exists. `failed` waits for its return; an attempt that is to be tried again stays `picked_up`. */
export type ScheduledDelivery =
  | (Schedule & { readonly status: 'open' | 'cancelled' })
  | (Schedule & { readonly status: 'assigned'; readonly courierId: string })
  | (Schedule & { readonly status: AfterPickUp; readonly courierId: string | null });

type AfterPickUp = 'picked_up' | 'failed' | 'delivered' | 'returned';

interface Schedule extends OfDelivery {
  readonly customerId: string;
  readonly imported: boolean;
  /** Whoever has it or had it, each once. */
  readonly couriers: readonly string[];
  /** How often it was assigned. */
  readonly assignments: number;
  readonly reports: Reports;
}

export type DeliveryHistory = DeliveryEvent & { readonly imported?: true };

function evolve(state: DeliveryState, event: DeliveryHistory): DeliveryState {
  if (event.type === 'DeliveryScheduled') {
    if (state.status !== 'none') return state;
    const { deliveryId, orderId, customerId } = event.data;
    const imported = event.imported === true;
    return {
      status: 'open',
      deliveryId,
      orderId,
      customerId,
      imported,
      couriers: [],
      assignments: 0,
      reports: noReports,
    };
  }
  if (state.status === 'none' || isFinal(state)) return state;
  switch (event.type) {
    case 'DeliveryAssigned':
      if (state.status !== 'open') return state;
      return {
        ...had(state, event.data.courierId),
        assignments: state.assignments + 1,
        status: 'assigned',
        courierId: event.data.courierId,
      };
    case 'DeliveryReleased':
      return state.status === 'assigned' ? { ...schedule(state), status: 'open' } : state;
    case 'DeliveryPickedUp':
      return { ...had(state, event.data.courierId), status: 'picked_up', courierId: event.data.courierId };
    case 'DeliveryPositionReported':
      return { ...state, reports: withReport(state.reports, event.data.at) };
    case 'DeliveryCompleted':
      return { ...schedule(state), status: 'delivered', courierId: courierOf(state) };
    case 'DeliveryFailed':
      if (event.data.next === 'retry') return state;
      return { ...schedule(state), status: 'failed', courierId: courierOf(state) };
    case 'DeliveryReturned':
      return { ...schedule(state), status: 'returned', courierId: courierOf(state) };
    case 'DeliveryCancelled':
      return { ...schedule(state), status: 'cancelled' };
    default:
      event satisfies never;
      return state;
  }
}

function decide(command: DeliveryCommand, state: DeliveryState): readonly DeliveryEvent[] {
  if (command.type === 'ScheduleDelivery') {
    return state.status === 'none' ? [{ type: 'DeliveryScheduled', data: command.delivery }] : [];
  }
  if (state.status === 'none') throw new NotFound('delivery', command.deliveryId);
  if (state.imported) throw importedHistory('delivery', command.deliveryId);
  const { deliveryId, orderId } = state;
  const of: OfDelivery = { deliveryId, orderId };
  switch (command.type) {
    case 'AssignDelivery': {
      const { courierId } = command;
      if (state.status === 'open') {
        if (state.assignments >= mostAssignments) throw tooManyAssignments(deliveryId);
        return [{ type: 'DeliveryAssigned', data: { ...of, courierId } }];
      }
      if (state.status !== 'assigned') throw refusal(state, 'it can no longer be assigned');
      if (state.courierId === courierId) return [];
      throw refusal(state, 'another courier has it');
    }
    case 'ReleaseDelivery':
      if (state.status === 'open') return [];
      if (state.status !== 'assigned') throw refusal(state, 'it can no longer be given back');
      return [{ type: 'DeliveryReleased', data: { ...of, courierId: state.courierId } }];
    case 'RecordPickUp':
      switch (state.status) {
        case 'open':
        case 'assigned':
          return [{ type: 'DeliveryPickedUp', data: { ...of, courierId: command.courierId } }];
        case 'cancelled':
          throw refusal(state, 'it cannot be picked up');
        default:
          return [];
      }
    case 'ReportPosition': {
      const { latitude, longitude, at } = command;
      if (command.inLog ?? reported(state.reports, at) === true) return [];
      if (state.status === 'open' || isFinal(state)) throw refusal(state, 'no courier is on the way');
      if (state.reports.count >= mostPositions) throw tooManyPositions(deliveryId);
      return [{ type: 'DeliveryPositionReported', data: { ...of, latitude, longitude, at } }];
    }
    case 'CompleteDelivery':
      if (state.status === 'delivered') return [];
      if (state.status !== 'picked_up') throw refusal(state, 'only what is picked up can be completed');
      return [{ type: 'DeliveryCompleted', data: { ...of, proof: command.proof } }];
    case 'FailDelivery':
      if (state.status === 'failed' && command.next === 'return') return [];
      if (state.status !== 'picked_up') throw refusal(state, 'no attempt is under way');
      return [{ type: 'DeliveryFailed', data: { ...of, reason: command.reason, next: command.next } }];
    case 'ReturnDelivery':
      if (state.status === 'returned') return [];
      if (state.status !== 'failed') throw refusal(state, 'only what has failed can be returned');
      return [{ type: 'DeliveryReturned', data: of }];
    case 'CancelDelivery':
      if (state.status === 'cancelled') return [];
      if (state.status !== 'open' && state.status !== 'assigned') throw refusal(state, 'it can no longer be cancelled');
      return [{ type: 'DeliveryCancelled', data: { ...of, reason: command.reason } }];
    default:
      return command satisfies never;
  }
}

/** The courier who takes the parcel, or has taken it. Throws `RuleViolated` where there is none. */
export function courierToPickUp(state: ScheduledDelivery): string {
  if (state.imported) throw importedHistory('delivery', state.deliveryId);
  const courierId = courierOf(state);
  if (courierId === null) throw refusal(state, 'no courier has claimed it');
  return courierId;
}

export function courierOf(state: ScheduledDelivery): string | null {
  return 'courierId' in state ? state.courierId : null;
}

function refusal(state: ScheduledDelivery, why: string): RuleViolated {
  const status = state.status.replace('_', ' ');
  return new RuleViolated(`delivery-${status.replace(' ', '-')}`, `Delivery ${state.deliveryId} is ${status}: ${why}.`);
}

function tooManyPositions(deliveryId: string): LimitReached {
  const detail = `Delivery ${deliveryId} has ${mostPositions} positions; no more are accepted.`;
  return new LimitReached('positions-of-delivery', detail);
}

function tooManyAssignments(deliveryId: string): LimitReached {
  const detail = `Delivery ${deliveryId} was assigned ${mostAssignments} times and cannot be assigned again.`;
  return new LimitReached('assignments-of-delivery', detail);
}

function schedule(state: Schedule): Schedule {
  const { deliveryId, orderId, customerId, imported, couriers, assignments, reports } = state;
  return { deliveryId, orderId, customerId, imported, couriers, assignments, reports };
}

function had(state: Schedule, courierId: string | null): Schedule {
  const { couriers } = state;
  return {
    ...schedule(state),
    couriers: courierId === null || couriers.includes(courierId) ? couriers : [...couriers, courierId],
  };
}

function isFinal(state: ScheduledDelivery): boolean {
  return state.status === 'delivered' || state.status === 'returned' || state.status === 'cancelled';
}

export const delivery: Decider<DeliveryCommand, DeliveryState, DeliveryHistory> = {
  initialState: { status: 'none' },
  decide,
  evolve,
  stateVersion: 4,
};
