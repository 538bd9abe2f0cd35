import { InvalidInput, type FieldFault } from '@waybill/shared-kernel/errors.js';
import { idPattern } from '@waybill/shared-kernel/stream.js';
import { isLongerThan } from '@waybill/shared-kernel/text-length.js';
import { utcTime } from '@waybill/shared-kernel/time.js';

/** What a query parameter takes. */
export interface QueryParameter<Value> {
  /** `undefined`: not one of its values. */
  readonly parse: (text: string) => Value | undefined;
  /** Said to whoever sent something else. */
  readonly takes: string;
}

type Parameters = Readonly<Record<string, QueryParameter<unknown>>>;

/** What was given of each parameter. */
export type Query<Takes extends Parameters> = {
  readonly [name in keyof Takes]?: Takes[name] extends QueryParameter<infer Value> ? Value : never;
};

/**
 * Reads the part of an address after its question mark. Throws `InvalidInput` that names every parameter that is
 * unknown, repeated, or not what it takes.
 */
export function readQuery<const Takes extends Parameters>(search: string, takes: Takes): Query<Takes> {
  if (search === '') return {};
  const values: Record<string, unknown> = {};
  const faults: FieldFault[] = [];
  for (const [name, text] of new URLSearchParams(search)) {
    const parameter = Object.hasOwn(takes, name) ? takes[name] : undefined;
    const value = parameter?.parse(text);
    const detail =
      parameter === undefined
        ? `This parameter is not known. Known are: ${Object.keys(takes).join(', ') || 'none'}.`
        : name in values
          ? 'It may be given once.'
          : value === undefined
            ? `It takes ${parameter.takes}.`
            : undefined;
    if (detail === undefined) values[name] = value;
    else faults.push({ pointer: `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, parameter: name, detail });
  }
  if (faults.length > 0) throw new InvalidInput(faults, 'The query is not valid.');
  return values as Query<Takes>;
}

export const id: QueryParameter<string> = {
  parse: (text) => (idPattern.test(text) ? text : undefined),
  takes: 'an id: 1 to 64 of A-Z a-z 0-9 _ -',
};

export function oneOf<const Value extends string>(values: readonly Value[]): QueryParameter<Value> {
  return {
    parse: (text) => values.find((value) => value === text),
    takes: `one of ${values.join(', ')}`,
  };
}

/** A time, read as RFC 3339 UTC with milliseconds, so that times compare as text. */
export const time: QueryParameter<string> = {
  parse: utcTime,
  takes: 'an RFC 3339 time such as 2026-01-31T12:00:00Z (a + in it is written %2B)',
};

const dayForm = /^\d{4}-\d\d-\d\d$/;

/** A day of the calendar, UTC, as `YYYY-MM-DD`. */
export const day: QueryParameter<string> = {
  parse: (text) => (dayForm.test(text) && utcTime(`${text}T00:00:00Z`) !== undefined ? text : undefined),
  takes: 'a day such as 2026-01-31',
};

export const defaultLimit = 20;
export const longestList = 100;

/** Events in one page of a timeline. */
export const longestTimeline = 1_000;

function upTo(most: number): QueryParameter<number> {
  return {
    parse: (text) => {
      const number = /^\d{1,4}$/.test(text) ? Number(text) : 0;
      return number >= 1 && number <= most ? number : undefined;
    },
    takes: `a number from 1 to ${most}`,
  };
}

/** How many items of a list. */
export const limit = upTo(longestList);

/** How many events of a timeline. */
export const timelineLimit = upTo(longestTimeline);

/** What somebody searches for. */
export const searchText: QueryParameter<string> = {
  parse: (text) => (/\S/.test(text) && !isLongerThan(text, 100) ? text : undefined),
  takes: '1 to 100 characters, not only spaces',
};
