// Nested classes are found by reflection.
import 'reflect-metadata';
import { Type } from 'class-transformer';
import { IsInt, IsObject, Matches, Max, Min, ValidateBy, ValidateIf, ValidateNested } from 'class-validator';
import { idPattern } from '@waybill/shared-kernel/stream.js';
import { isLongerThan } from '@waybill/shared-kernel/text-length.js';
import { utcTime } from '@waybill/shared-kernel/time.js';

/** The field may be left out; `null` is not that. */
export function Optional(): PropertyDecorator {
  return ValidateIf((_body, value: unknown) => value !== undefined);
}

export function IsId(): PropertyDecorator {
  return Matches(idPattern, { message: 'It must be an id: 1 to 64 of A-Z a-z 0-9 _ -.' });
}

export function IsCurrency(): PropertyDecorator {
  return Matches(/^[A-Z]{3}$/, { message: 'It must be an ISO 4217 currency such as KRW.' });
}

/** Text of 1 to `longest` characters that is not blank. */
export function IsText(longest: number): PropertyDecorator {
  return ValidateBy({
    name: 'isText',
    constraints: [longest],
    validator: {
      validate: (value: unknown) => typeof value === 'string' && /\S/.test(value) && !isLongerThan(value, longest),
      defaultMessage: () => `It must be a text of 1 to ${longest} characters that is not blank.`,
    },
  });
}

/** A whole number from `least` to `most`. */
export function IsWhole(least: number, most: number): PropertyDecorator {
  const message = `It must be a whole number from ${least} to ${most}.`;
  const rules = [IsInt({ message }), Min(least, { message }), Max(most, { message })];
  return (target, property) => {
    for (const rule of rules) rule(target, property);
  };
}

/** RFC 3339, with an offset or `Z`. */
export function IsTime(): PropertyDecorator {
  return ValidateBy({
    name: 'isTime',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && utcTime(value) !== undefined,
      defaultMessage: () => 'It must be an RFC 3339 time such as 2026-01-31T12:00:00Z.',
    },
  });
}

const nestedKinds = new Map<object, Map<string | symbol, () => new () => object>>();

/** An object of another class with rules of its own, or with `each` a list of them. `what` it must be. */
export function IsNested(kind: () => new () => object, what: string, { each = false } = {}): PropertyDecorator {
  const rules = [IsObject({ each, message: `It must be ${what}.` }), ValidateNested({ each }), Type(kind)];
  return (target, property) => {
    for (const rule of rules) rule(target, property);
    const ofClass = nestedKinds.get(target.constructor) ?? new Map<string | symbol, () => new () => object>();
    nestedKinds.set(target.constructor, ofClass.set(property, kind));
  };
}

/** The class of the objects in a field. */
export function nestedKind(of: object, property: string): new () => object {
  const kind = nestedKinds.get(of)?.get(property);
  if (kind === undefined) throw new Error(`${property} holds no nested object`);
  return kind();
}
