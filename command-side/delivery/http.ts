import { IsIn, IsNumber, Max, Min } from 'class-validator';
import { actingRole, type Asker, type Owners } from '@waybill/infra/http/access.js';
import { route, type Answer, type Route } from '@waybill/infra/http/route.js';
import { InvalidInput, NotFound } from '@waybill/shared-kernel/errors.js';
import { utcTime } from '@waybill/shared-kernel/time.js';
import type { Cause } from '../handling/envelope.js';
import type { CommandHandler, CommandRequest, CommandTask } from '../handling/handle-command.js';
import { commandAnswer } from '../http/command-answer.js';
import { plainRequest, repeatableRequest, type RequestOn } from '../http/command-request.js';
import { readCommand, readNothing } from '../http/read-command.js';
import { requireActingRole } from '../http/require-acting-role.js';
import { IsId, IsText, IsTime, Optional } from '../http/rules.js';
import type { Aggregates } from '../handling/aggregates.js';
import type { Randomness, Timer, WallClock } from '@waybill/shared-kernel/ports/clock.js';
import { dispatchOrder } from '../ordering/dispatch-order.js';
import { courierOf, courierToPickUp, type DeliveryCommand, type DeliveryState } from './delivery.js';
import { reported } from './reports.js';
import { RecordedReports } from './recorded-reports.js';
import { epochMs } from '@waybill/shared-kernel/ports/clock.js';

/** Milliseconds by which a courier's clock may be ahead of ours. */
const clockTolerance = 60_000;

export class AssignBody {
  @IsId()
  courierId!: string;
}

export class PositionBody {
  @Max(90, { message: 'It must be a latitude, −90 to 90 degrees.' })
  @Min(-90, { message: 'It must be a latitude, −90 to 90 degrees.' })
  @IsNumber({}, { message: 'It must be a latitude, −90 to 90 degrees.' })
  latitude!: number;

  @Max(180, { message: 'It must be a longitude, −180 to 180 degrees.' })
  @Min(-180, { message: 'It must be a longitude, −180 to 180 degrees.' })
  @IsNumber({}, { message: 'It must be a longitude, −180 to 180 degrees.' })
  longitude!: number;

  @IsTime()
  at!: string;
}

export class CompleteBody {
  @Optional()
  @IsText(1000)
  proof?: string;
}

export class FailBody {
  @IsText(500)
  reason!: string;

  @IsIn(['retry', 'return'], { message: 'It must be "retry" or "return".' })
  next!: 'retry' | 'return';
}

export interface DeliveryRoutesDependencies {
  readonly handler: CommandHandler;
  readonly aggregates: Aggregates;
  readonly clock: WallClock;
  readonly timer: Timer;
  readonly randomness: Randomness;
}

/**
 * Deliveries, by the courier who has them, or an operator. Every courier may know what deliveries there are, so one
 * that another courier has is 403; claiming it is 409.
 */
export function deliveryRoutes(dependencies: DeliveryRoutesDependencies): readonly Route[] {
  const { handler, aggregates, clock } = dependencies;
  const reports = new RecordedReports((id, from) => aggregates.deliveries.eventsOf(id, from));
  type Request = RequestOn<'deliveryId'>;
  type Decide = (state: DeliveryState, cause: Cause) => DeliveryCommand | Promise<DeliveryCommand>;

  type Recorded = Required<CommandTask<DeliveryCommand, DeliveryState>>['recorded'];

  const handle = async (
    request: Request,
    asked: CommandRequest,
    command: Decide,
    { ownersOf = whoHasIt, recorded }: { readonly ownersOf?: OwnersOf; readonly recorded?: Recorded } = {},
  ): Promise<Answer> => {
    const id = request.params.deliveryId;
    const handled = await handler.handle(aggregates.deliveries, asked, {
      id,
      authorise: (state) => {
        if (state.status === 'none') throw new NotFound('delivery', id);
        return requireActingRole(request, ownersOf(state), 'delivery', id);
      },
      partitionKey: (state) => (state.status === 'none' ? id : state.orderId),
      subject: (state) => (state.status === 'none' ? id : state.customerId),
      command,
      ...(recorded && { recorded }),
    });
    return commandAnswer(200, handled, { deliveryId: id, status: handled.state.status });
  };

  const assign = (request: Request): Promise<Answer> => {
    const { courierId } = readCommand(AssignBody, request.body);
    const { deliveryId } = request.params;
    const command: DeliveryCommand = { type: 'AssignDelivery', deliveryId, courierId };
    return handle(request, repeatableRequest(request), () => command, { ownersOf: () => ({ courier: courierId }) });
  };

  const pickUp = (request: Request): Promise<Answer> => {
    const { deliveryId } = request.params;
    readNothing(request.body);
    const asked = repeatableRequest(request);
    // With whom it left, once the order's stream says so: from then on it did, whatever comes between that and its
    // own event.
    let leftWith: string | undefined;
    const command = async (state: DeliveryState, cause: Cause): Promise<DeliveryCommand> => {
      if (state.status === 'none') throw new NotFound('delivery', deliveryId);
      if (leftWith === undefined) {
        const courierId = courierToPickUp(state);
        if (state.status === 'assigned')
          await dispatchOrder(aggregates.orders, state.orderId, courierId, cause, dependencies);
        leftWith = courierId;
      }
      return { type: 'RecordPickUp', deliveryId, courierId: leftWith };
    };
    return handle(
      request,
      { ...asked, matches: (revision) => leftWith !== undefined || asked.matches?.(revision) !== false },
      command,
      { ownersOf: (state) => (leftWith === undefined ? whoHasIt(state) : { open: true }) },
    );
  };

  const reportPosition = (request: Request): Promise<Answer> => {
    const { deliveryId } = request.params;
    const { latitude, longitude, at: text } = readCommand(PositionBody, request.body);
    const at = utcTime(text);
    if (at === undefined) throw inTheFuture();
    const command = { type: 'ReportPosition', deliveryId, latitude, longitude, at } as const;
    let inLog = false;
    const recorded: Recorded = async (state) => {
      const told = mayHaveReported(request, state, at) ? await reports.at(deliveryId, at) : [];
      const { sub, roles } = request.caller;
      const own = told.find(
        (report) => report.at === at && report.actor?.sub === sub && roles.some((role) => role === report.actor?.role),
      );
      const courierId = state.status === 'none' ? null : courierOf(state);
      inLog = told.some((report) => courierId === null || report.courierId === courierId);
      if (own === undefined && !inLog && Date.parse(at) > epochMs(clock) + clockTolerance) throw inTheFuture();
      return own;
    };
    const decide = () => ({ ...command, inLog });
    return handle(request, plainRequest(request), decide, { ownersOf: whoMayReport, recorded });
  };

  const complete = (request: Request): Promise<Answer> => {
    const { deliveryId } = request.params;
    const { proof } = readCommand(CompleteBody, request.body ?? {});
    const command: DeliveryCommand = { type: 'CompleteDelivery', deliveryId, proof: proof ?? null };
    return handle(request, repeatableRequest(request), () => command);
  };

  const fail = (request: Request): Promise<Answer> => {
    const { deliveryId } = request.params;
    const { reason, next } = readCommand(FailBody, request.body);
    const command: DeliveryCommand = { type: 'FailDelivery', deliveryId, reason, next };
    return handle(request, repeatableRequest(request), () => command);
  };

  const takingNothing =
    (type: 'ReleaseDelivery' | 'ReturnDelivery') =>
    (request: Request): Promise<Answer> => {
      readNothing(request.body);
      return handle(request, repeatableRequest(request), () => ({ type, deliveryId: request.params.deliveryId }));
    };

  return [
    route('POST', '/v1/deliveries/:deliveryId/assignment', assign),
    route('POST', '/v1/deliveries/:deliveryId/release', takingNothing('ReleaseDelivery')),
    route('POST', '/v1/deliveries/:deliveryId/pickup', pickUp),
    route('POST', '/v1/deliveries/:deliveryId/positions', reportPosition),
    route('POST', '/v1/deliveries/:deliveryId/completion', complete),
    route('POST', '/v1/deliveries/:deliveryId/failure', fail),
    route('POST', '/v1/deliveries/:deliveryId/return', takingNothing('ReturnDelivery')),
  ];
}

function inTheFuture(): InvalidInput {
  return new InvalidInput([{ pointer: '/at', detail: 'It must not be in the future.' }]);
}

/** Whether it is worth looking in the log: nobody has it read for a delivery that they never had. */
function mayHaveReported(request: Asker, state: DeliveryState, at: string): boolean {
  if (state.status === 'none' || reported(state.reports, at) === false) return false;
  return actingRole(request, { courier: state.couriers }) !== undefined;
}

type OwnersOf = (state: DeliveryState) => Owners;

/** A command on a delivery that nobody has is refused or a no-op, by its status. */
function whoHasIt(state: DeliveryState): Owners {
  const courierId = state.status === 'none' ? null : courierOf(state);
  return courierId === null ? { open: true } : { courier: courierId };
}

/** What somebody had and nobody has now is for those who had it: they may repeat themselves, and hear its status. */
function whoMayReport(state: DeliveryState): Owners {
  const owners = whoHasIt(state);
  const wasHad = state.status !== 'none' && state.couriers.length > 0;
  return owners.open === true && wasHad ? { courier: state.couriers } : owners;
}
