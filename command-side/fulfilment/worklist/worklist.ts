import type { DeadlineName, FulfilmentEvent, SuspensionEvent } from '@waybill/shared-kernel/events/fulfilment.js';
import { deadlineOf, evolve, type FulfilmentState } from '../fulfilment-state.js';
import { partitionOf } from '@waybill/shared-kernel/partitions/partition.js';
import type { CollectionSpec, Fields, ListQuery, StoredDocument } from '@waybill/shared-kernel/ports/read-store.js';
import type { Projection } from '@waybill/shared-kernel/projection.js';
import { streamName } from '@waybill/shared-kernel/stream.js';

/** The states of a fulfilment that is not completed, in the order in which an order passes them. */
export const openStates = [
  'reserving',
  'authorising',
  'rejecting',
  'confirming',
  'delivering',
  'capturing',
  'compensating',
] as const;
export type OpenState = (typeof openStates)[number];

/** A fulfilment in the worklist: the section `fulfilment` of its document. Times are RFC 3339 UTC. */
export interface WorklistItem {
  readonly state: OpenState | 'completed';
  /** What it waits for, and until when; both null: for nothing that has a deadline. */
  readonly deadline: DeadlineName | null;
  readonly dueAt: string | null;
  /** When it came to this state. */
  readonly since: string;
}

/** As the section has it: with what its next event is folded into. */
export interface WorklistSection extends WorklistItem {
  readonly progress: FulfilmentState;
}

/**
 * The fulfilments by state and deadline, a document per order: the process manager finds what is due, and operators see
 * what is stuck. It is a read model of the fulfilment streams. The process manager writes it itself, because it must
 * find what is due even if the projector stands still.
 *
 * Lists are sorted by deadline, the earliest first. Fulfilments without a deadline come last, oldest first. Completed
 * ones are in no list and in no group.
 */
export const worklist: CollectionSpec = {
  name: 'worklist',
  version: 1,
  fields: { state: 'text', deadline: 'text', partition: 'text', urgency: 'text', since: 'number' },
  multiple: [],
  order: 'urgency',
  indexes: [['partition'], ['state']],
  // In seconds, so that the average wait is computed without reading a document.
  groups: [{ by: 'state', and: 'deadline', sum: 'since' }],
};

const ofCompleted: Fields = {
  single: { state: null, deadline: null, partition: null, urgency: null, since: null },
  multiple: {},
};

export function fieldsOf({ state, deadline, dueAt, since, progress }: WorklistSection): Fields {
  if (state === 'completed' || progress.status === 'none') return ofCompleted;
  const single = {
    state,
    deadline,
    partition: String(partitionOf(progress.orderId)),
    urgency: dueAt === null ? `-${urgencyOf(Date.parse(since))}` : urgencyOf(Date.parse(dueAt)),
    since: Math.floor(Date.parse(since) / 1000),
  };
  return { single, multiple: {} };
}

/** Milliseconds since 1970 of the last moment that a date can hold. */
const lastMoment = 8.64e15;

/** Text that is the greater the earlier the moment: lists give the greatest first. All of 16 digits. */
function urgencyOf(milliseconds: number): string {
  return String(lastMoment - milliseconds);
}

/** The part of a list with deadlines in the past. `now`: milliseconds since 1970. */
export function overdue(now: number): Pick<ListQuery, 'from'> {
  return { from: urgencyOf(now) };
}

/** The place in lists before the deadlines after a time, milliseconds since 1970. */
export function placeAfter(time: number): NonNullable<ListQuery['after']> {
  return { order: urgencyOf(time), key: '' };
}

/** The place of a document in lists, for keyset paging. */
export function placeOf(document: StoredDocument): ListQuery['after'] {
  const { urgency } = fieldsOf(sectionIn(document)).single;
  return typeof urgency === 'string' ? { order: urgency, key: document.key } : undefined;
}

export function itemOf(document: StoredDocument): WorklistItem {
  const { state, deadline, dueAt, since } = sectionIn(document);
  return { state, deadline, dueAt, since };
}

function sectionIn({ sections }: StoredDocument): WorklistSection {
  return sections['fulfilment'] as WorklistSection;
}

/** How far a fulfilment has come, and when it came to that state: RFC 3339 UTC, empty before there is anything. */
export interface Standing {
  readonly progress: FulfilmentState;
  readonly since: string;
}

export const notBegun: Standing = { progress: { status: 'none' }, since: '' };

/** After an event of the fulfilment's own stream. */
export function standingAfter(
  { progress: before, since }: Standing,
  event: (FulfilmentEvent | SuspensionEvent) & { readonly occurredAt?: string },
): Standing {
  switch (event.type) {
    case 'FulfilmentSuspended':
    case 'FulfilmentResumed':
      return { progress: before, since };
    default: {
      const progress = evolve(before, event);
      return { progress, since: progress.status === before.status ? since : (event.occurredAt ?? '') };
    }
  }
}

/** `undefined`: nothing was begun. */
export function sectionOf({ progress, since }: Standing): WorklistSection | undefined {
  if (progress.status === 'none') return undefined;
  const { name: deadline = null, dueAt = null } = deadlineOf(progress) ?? {};
  return { state: progress.status, deadline, dueAt, since, progress };
}

export const worklistProjection: Projection = {
  collection: worklist,
  categories: ['fulfilment'],
  key: ({ partitionKey }) => partitionKey,
  streams: (orderId) => [streamName('fulfilment', orderId)],
  fold: (section, event) => {
    const before = (section as WorklistSection | undefined) ?? notBegun;
    // Its stream holds the events of its category and no others.
    return sectionOf(standingAfter(before, event as typeof event & (FulfilmentEvent | SuspensionEvent)));
  },
  fields: ({ fulfilment }) => {
    const section = fulfilment as WorklistSection | undefined;
    return section === undefined ? ofCompleted : fieldsOf(section);
  },
};
