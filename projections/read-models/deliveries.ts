import type { KnownEvent } from '@waybill/shared-kernel/events/upcast.js';
import type { Sealed } from '@waybill/shared-kernel/personal-data.js';
import type { Fields } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection, Revisions, Sections } from '@waybill/shared-kernel/projection.js';
import { parseStream, streamName } from '@waybill/shared-kernel/stream.js';
import type { Folded } from './fold-document.js';
import { foldProgress, type DeliveryFailure, type DeliveryProgress, type DeliveryStatus } from './delivery-progress.js';

/** Where the courier was: WGS 84 degrees, and when. */
export interface Position {
  readonly latitude: number;
  readonly longitude: number;
  readonly at: string;
}

interface DeliverySection {
  readonly orderId: string;
  /** When its first event happened, by which lists are ordered. */
  readonly openedAt: string;
  readonly schedule: Schedule | null;
  readonly progress: DeliveryProgress | null;
  readonly position: Reported | null;
  /** Revisions of its events but for positions, in order; null: there are more than `mostSteps`. */
  readonly steps: readonly number[] | null;
}

/** Of more steps than a delivery ever takes, the document does not keep account. */
const mostSteps = 200;

/** The latest position, whoever reported it. */
interface Reported extends Position {
  /** Who had the parcel then. */
  readonly courierId: string | null;
}

interface Schedule {
  readonly customerId: string;
  readonly address: Sealed | null;
  readonly promisedBy: string | null;
  readonly at: string;
}

function fold(before: unknown, event: KnownEvent): DeliverySection {
  const section = (before as DeliverySection | undefined) ?? {
    orderId: event.partitionKey,
    openedAt: event.occurredAt,
    schedule: null,
    progress: null,
    position: null,
    steps: [],
  };
  switch (event.type) {
    case 'DeliveryScheduled': {
      const { customerId, address, promisedBy } = event.data;
      const schedule = { customerId, address, promisedBy, at: event.occurredAt };
      return { ...withStep(section, event), schedule };
    }
    case 'DeliveryPositionReported': {
      const { latitude, longitude, at } = event.data;
      // A report may come late; an older one does not move the courier back.
      if (section.position !== null && at <= section.position.at) return section;
      return { ...section, position: { latitude, longitude, at, courierId: section.progress?.courierId ?? null } };
    }
    default:
      return withStep(section, event);
  }
}

function withStep(section: DeliverySection, event: KnownEvent): DeliverySection {
  const { steps } = section;
  return {
    ...section,
    progress: foldProgress(section.progress ?? undefined, event) ?? null,
    steps: steps === null || steps.length === mostSteps ? null : [...steps, event.revision],
  };
}

/** Which of a delivery's events are no positions, so that those can be read alone, however many positions there are. */
export interface DeliverySteps {
  /** In order. */
  readonly revisions: readonly number[];
  /** As far as its stream was looked at: a revision. */
  readonly through: number;
}

/** As a document has it; `undefined`: it keeps no account of them. */
export function deliverySteps({ sections, revisions }: Folded): DeliverySteps | undefined {
  const section: Partial<DeliverySection> | undefined = sectionOf(sections);
  const through = revisions.delivery;
  // A document of an earlier version has none.
  const steps = section?.steps ?? undefined;
  return steps === undefined || through === undefined ? undefined : { revisions: steps, through };
}

function sectionOf(sections: Sections): DeliverySection | undefined {
  return sections.delivery as DeliverySection | undefined;
}

function fields(sections: Sections): Fields {
  const section = sectionOf(sections);
  return {
    single: {
      courierId: section?.progress?.courierId ?? null,
      status: section?.progress?.status ?? null,
      openedAt: section?.openedAt ?? null,
    },
    multiple: {},
  };
}

/** Deliveries by id: one stream each. Their partition key is the order's id. */
export const deliveries: Projection = {
  collection: {
    name: 'deliveries',
    version: 3,
    fields: { courierId: 'text', status: 'text', openedAt: 'text' },
    multiple: [],
    order: 'openedAt',
    indexes: [[], ['courierId'], ['status'], ['courierId', 'status']],
  },
  categories: ['delivery'],
  key: (event) => parseStream(event.stream).id,
  streams: (deliveryId) => [streamName('delivery', deliveryId)],
  fold,
  fields,
};

/** A delivery as the contract shows it, without `freshness`; its address still sealed. Times are RFC 3339 UTC. */
export interface DeliveryView {
  readonly deliveryId: string;
  readonly orderId: string;
  /** Whose parcel it is; absent where imported history scheduled nothing. */
  readonly customerId?: string;
  readonly status: DeliveryStatus;
  readonly courierId?: string;
  readonly address: Sealed | null;
  /** The last known of the courier who has it; not of one who gave it back. */
  readonly position?: Position;
  readonly promisedBy?: string;
  readonly scheduledAt?: string;
  readonly pickedUpAt?: string;
  readonly deliveredAt?: string;
  readonly failure?: DeliveryFailure;
  readonly revision: number;
}

/** The delivery of a document, `undefined` where nothing but positions is known of it. */
export function deliveryView(sections: Sections, revisions: Revisions): DeliveryView | undefined {
  const section = sectionOf(sections);
  const progress = section?.progress ?? null;
  if (section === undefined || progress === null) return undefined;
  const { orderId, schedule, position } = section;
  const { deliveryId, status, courierId, pickedUpAt, deliveredAt, failure } = progress;
  const promisedBy = schedule?.promisedBy ?? null;
  return {
    deliveryId,
    orderId,
    ...(schedule !== null && { customerId: schedule.customerId }),
    status,
    ...(courierId !== null && { courierId }),
    address: schedule?.address ?? null,
    ...(position !== null && position.courierId === courierId && { position: positionOf(position) }),
    ...(promisedBy !== null && { promisedBy }),
    ...(schedule !== null && { scheduledAt: schedule.at }),
    ...(pickedUpAt !== null && { pickedUpAt }),
    ...(deliveredAt !== null && { deliveredAt }),
    ...(failure !== null && { failure }),
    revision: revisions.delivery ?? -1,
  };
}

function positionOf({ latitude, longitude, at }: Reported): Position {
  return { latitude, longitude, at };
}
