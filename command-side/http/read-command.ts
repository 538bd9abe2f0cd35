import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { InvalidInput, type FieldFault } from '@waybill/shared-kernel/errors.js';
import { passes } from './passes.js';

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
  if (passes(kind, body)) return body as Body;
  const faults: FieldFault[] = [];
  findForeign(body, '', 0, faults);
  if (faults.length > 0) throw new InvalidInput(faults);
  const command = plainToInstance(kind, body);
  const errors = validateSync(command, {
    whitelist: true,
    forbidNonWhitelisted: true,
    stopAtFirstError: true,
    validationError: { target: false, value: false },
  });
  if (errors.length === 0) return command;
  for (const error of errors) addFaults(error, '', faults);
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

const unknownField = 'There is no such field.';

/** What class-transformer would drop in silence: names that every object has, such as `constructor`. */
function findForeign(value: object, pointer: string, depth: number, faults: FieldFault[]): void {
  if (depth > deepest) throw new InvalidInput([{ pointer, detail: 'It is nested too deeply.' }]);
  for (const [name, inner] of Object.entries(value) as [string, unknown][]) {
    if (name in Object.prototype) faults.push({ pointer: `${pointer}/${escape(name)}`, detail: unknownField });
    else if (typeof inner === 'object' && inner !== null) {
      findForeign(inner, `${pointer}/${escape(name)}`, depth + 1, faults);
    }
  }
}

function addFaults({ property, constraints, children }: ValidationError, prefix: string, faults: FieldFault[]): void {
  const pointer = `${prefix}/${escape(property)}`;
  for (const kind in constraints) {
    const detail = kind === 'whitelistValidation' ? unknownField : constraints[kind]!;
    faults.push({ pointer, detail });
    break;
  }
  for (const child of children ?? []) addFaults(child, pointer, faults);
}

/** RFC 6901 §3. */
function escape(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
