import { plainToInstance } from 'class-transformer';
import { isObject, validateSync, type ValidationError } from 'class-validator';
import { InvalidInput, type FieldFault } from '@waybill/shared-kernel/errors.js';
import { isValid } from './body-validation.js';

/** Far more than any body of ours needs, far less than would exhaust the stack. */
const deepest = 8;

/**
 * The body of a request, checked by the rules of its class. Throws `InvalidInput` that points
 * at every field which is missing, wrong, or unknown.
 */
export function readCommand<Body extends object>(kind: new () => Body, body: unknown): Body {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new InvalidInput([{ pointer: '', detail: 'The body must be a JSON object.' }]);
  }
  if (isValid(kind, body)) return body as Body;
  const faults: FieldFault[] = [];
  const command = plainToInstance(kind, withoutForeign(body, '', 0, faults));
  const errors = validateSync(command, {
    whitelist: true,
    forbidNonWhitelisted: true,
    stopAtFirstError: true,
    validationError: { target: false, value: true },
  });
  for (const error of errors) addFaults(error, '', faults);
  if (faults.length === 0) return command;
  throw new InvalidInput(faults);
}

/** For a command that takes nothing: no body or an empty object. */
export function readNothing(body: unknown): void {
  if (body === undefined) return;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new InvalidInput([{ pointer: '', detail: 'The body must be empty or an empty JSON object.' }]);
  }
  const faults = Object.keys(body).map((name) => ({ pointer: `/${escape(name)}`, detail: unknownField }));
  if (faults.length > 0) throw new InvalidInput(faults);
}

const unknownField = 'This field is not known.';

/** Names what class-transformer would drop silently, those that every object has, such as `constructor`. */
function withoutForeign<Value extends object>(
  value: Value,
  pointer: string,
  depth: number,
  faults: FieldFault[],
): Value {
  if (depth > deepest) throw new InvalidInput([{ pointer, detail: 'It is nested too deeply.' }]);
  const entries = (Object.entries(value) as [string, unknown][]).flatMap(([name, inner]) => {
    const at = `${pointer}/${escape(name)}`;
    if (name in Object.prototype) {
      faults.push({ pointer: at, detail: unknownField });
      return [];
    }
    const isNested = typeof inner === 'object' && inner !== null;
    return [[name, isNested ? withoutForeign(inner, at, depth + 1, faults) : inner] as const];
  });
  return (Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries)) as Value;
}

function addFaults(
  { property, constraints, children, value }: ValidationError,
  prefix: string,
  faults: FieldFault[],
): void {
  const pointer = `${prefix}/${escape(property)}`;
  for (const kind in constraints) {
    const detail = kind === 'whitelistValidation' ? unknownField : constraints[kind]!;
    const wrong = kind === isObjectRule && Array.isArray(value) ? placesOfNoObjects(value) : [];
    for (const place of wrong) faults.push({ pointer: `${pointer}/${place}`, detail: 'It must be a JSON object.' });
    if (wrong.length === 0) faults.push({ pointer, detail });
    break;
  }
  for (const child of children ?? []) addFaults(child, pointer, faults);
}

/** The rule of a list of objects is broken as a whole. */
const isObjectRule = 'isObject';

function placesOfNoObjects(list: readonly unknown[]): readonly number[] {
  return [...list.entries()].flatMap(([place, value]) => (isObject(value) ? [] : place));
}

/** RFC 6901 §3. */
function escape(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
