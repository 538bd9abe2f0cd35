import {
  readConfig,
  shown,
  variables,
  type Config,
  type Environment,
  type Variable,
} from '@waybill/infra/process/config.js';
import { masterKeyOfText } from '@waybill/infra/keys/master-key.js';
import { WaybillError } from '@waybill/shared-kernel/errors.js';
import { bad, good, warning, type Check } from './check.js';

export interface JudgedConfiguration {
  readonly checks: readonly Check[];
  /** `undefined`: it cannot be used, and there is nothing else to look at. */
  readonly config: Config | undefined;
}

const masterKeys: ReadonlySet<string> = new Set<Variable>(['WAYBILL_MASTER_KEY', 'WAYBILL_MASTER_KEY_PREVIOUS']);
const secrets: ReadonlySet<string> = new Set([...masterKeys, 'WAYBILL_WEBHOOK_SECRET' satisfies Variable]);

/** Every variable there is, what it is and where that comes from; and those that are set and that nothing reads. */
export function judgeConfiguration(environment: Environment): JudgedConfiguration {
  const known = Object.keys(variables) as Variable[];
  const checks = [...known.map((name) => judgeVariable(name, environment)), ...strangers(environment, known)];
  try {
    return { checks, config: readConfig(environment) };
  } catch (error) {
    const message = messageOf(error);
    const isTold = checks.some(({ state, detail }) => state === 'bad' && detail === message);
    return {
      checks: isTold ? checks : [...checks, bad('configuration', message, 'Correct the variables that it names.')],
      config: undefined,
    };
  }
}

function judgeVariable(name: Variable, environment: Environment): Check {
  const value = environment[name];
  if (!value) return good(name, `not set. ${variables[name]}`);
  try {
    readConfig({ ...alone(name), [name]: value });
    if (masterKeys.has(name)) masterKeyOfText(value, name);
    if (name === 'WAYBILL_PUBLIC_READ_URL' && !URL.canParse(value)) {
      return bad(name, `"${shown(value)}" is no address.`, 'Set it to a base URL such as https://shop.example/read.');
    }
  } catch (error) {
    return bad(name, messageOf(error), 'Correct the variable, or unset it.');
  }
  return good(name, secrets.has(name) ? 'from the environment; not shown' : `${shown(value)}, from the environment`);
}

/** What a variable cannot do without, in a form that is right. */
function alone(name: Variable): Environment {
  if (name === 'WAYBILL_OIDC_ISSUER') return { WAYBILL_JWKS_URL: 'https://issuer.invalid/keys' };
  if (name === 'WAYBILL_JWKS_URL') return { WAYBILL_OIDC_ISSUER: 'https://issuer.invalid' };
  if (name === 'WAYBILL_PAYMENT_URL') return { WAYBILL_WEBHOOK_SECRET: 'any' };
  return {};
}

function strangers(environment: Environment, known: readonly string[]): readonly Check[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('WAYBILL_') && !name.startsWith('WAYBILL_TEST_') && !known.includes(name))
    .sort()
    .map((name) => warning(name, 'is set, and nothing reads it.', 'Unset it, or look whether its name is right.'));
}

function messageOf(error: unknown): string {
  if (error instanceof WaybillError) return error.message;
  throw error;
}
