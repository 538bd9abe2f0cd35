import { createApi, type ApiParts } from '@waybill/infra/http/api.js';
import type { Randomness, SteadyClock, Timer, WallClock } from '@waybill/shared-kernel/ports/clock.js';
import type {
  Appender,
  StreamReader,
  BackwardsStreamReader,
  LogReader,
} from '@waybill/shared-kernel/ports/event-store.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import type { Api } from '@waybill/infra/http/server/listen.js';
import type { Route } from '@waybill/infra/http/route.js';
import { writeAccess } from './access.js';
import { aggregatesIn } from './handling/aggregates.js';
import { productRoutes, type ProductRoutesDependencies } from './catalogue/http.js';
import { Erasures } from './customers/erasures.js';
import { customerRoutes, type CustomerRoutesDependencies } from './customers/http.js';
import { deliveryRoutes, type DeliveryRoutesDependencies } from './delivery/http.js';
import { CommandHandler, type CountCommand } from './handling/handle-command.js';
import type { LiveLook } from './handling/live-look.js';
import { writeApiDocument } from './openapi.js';
import type { OrderAdmission } from './ordering/admission.js';
import { orderRoutes, type OrderRoutesDependencies } from './ordering/http.js';
import { paymentRoutes, type PaymentRoutesDependencies } from './payments/http.js';
import { PaymentRecords } from './payments/payment-records.js';
import type { AggregateSnapshots } from './handling/snapshots/aggregate-snapshots.js';

export interface WriteApiParts extends Omit<ApiParts, 'routes' | 'access' | 'document' | 'randomness'> {
  readonly store: Appender & StreamReader & BackwardsStreamReader & LogReader;
  readonly keys: KeyStore;
  readonly clock: WallClock;
  readonly steadyClock: SteadyClock;
  readonly randomness: Randomness;
  readonly timer: Timer;
  readonly count?: CountCommand | undefined;
  /** Without them, long streams are read from their beginning. */
  readonly snapshots?: AggregateSnapshots;
  /** Without it every order is taken. */
  readonly admission?: OrderAdmission;
  /** Without it customers and products are read for each order. */
  readonly look?: LiveLook | undefined;
  /** What the payment gateway signs its notices with. */
  readonly webhookSecret: string;
  /** Base URL at which clients reach the read API, without a slash at its end. */
  readonly publicReadUrl: string;
}

type RoutesDependencies = ProductRoutesDependencies &
  CustomerRoutesDependencies &
  OrderRoutesDependencies &
  DeliveryRoutesDependencies &
  PaymentRoutesDependencies;

/** Every operation of the write API. */
export function writeRoutes(dependencies: RoutesDependencies): readonly Route[] {
  return [
    ...productRoutes(dependencies),
    ...customerRoutes(dependencies),
    ...orderRoutes(dependencies),
    ...deliveryRoutes(dependencies),
    ...paymentRoutes(dependencies),
  ];
}

/** The write API: commands in, events into the log. It needs the event store and the keys, nothing else. */
export function createWriteApi(parts: WriteApiParts): Api {
  const { store, keys, clock, steadyClock, randomness, timer, count, admission, webhookSecret, publicReadUrl } = parts;
  const handler = new CommandHandler({ store, keys, clock, randomness, timer, count });
  const aggregates = aggregatesIn(store, parts.snapshots, parts.look);
  const erasures = new Erasures({ store, aggregates, keys, clock, steadyClock, randomness, timer });
  const payments = new PaymentRecords(parts);
  const doing = { aggregates, handler, erasures, payments, admission };
  const routes = writeRoutes({ ...doing, keys, clock, randomness, timer, webhookSecret, publicReadUrl });
  return createApi({ ...parts, routes, access: writeAccess, document: writeApiDocument });
}
