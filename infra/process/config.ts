import { join, resolve } from 'node:path';
import { BadConfiguration } from '@waybill/shared-kernel/errors.js';

/** Every variable a process of Waybill reads, and what it is for. */
export const variables = {
  WAYBILL_HOST: 'Address at which the APIs listen; 127.0.0.1 unless set.',
  WAYBILL_WRITE_PORT: 'Port of the write API; 4000 unless set, 0 is any free one.',
  WAYBILL_READ_PORT: 'Port of the read API; 4001 unless set, 0 is any free one.',
  WAYBILL_HEALTH_PORT:
    'Port at which relay, projector and fulfilment answer /healthz, /readyz and /metrics; none unless set.',
  WAYBILL_DATA: 'Folder of the embedded files; ./waybill-data unless set.',
  WAYBILL_EVENT_STORE: 'The log: sqlite: in the data folder, or esdb://… (kurrentdb://…).',
  WAYBILL_BROKER: 'What carries events to the projectors: memory:, or amqp://… (amqps://…).',
  WAYBILL_READ_STORE: 'The read models: sqlite: in the data folder, or mongodb://… (mongodb+srv://…).',
  WAYBILL_MASTER_KEY: "Base64 of the 32 bytes that wrap the customers' keys; made in the data folder unless set.",
  WAYBILL_MASTER_KEY_PREVIOUS: 'The master key before it, until `waybill keys rotate` has wrapped all keys anew.',
  WAYBILL_OIDC_ISSUER: 'Issuer of the tokens that are believed; a development key in the data folder unless set.',
  WAYBILL_JWKS_URL: "Where the issuer's keys are.",
  WAYBILL_AUDIENCE: 'What tokens must be meant for; waybill unless set.',
  WAYBILL_PAYMENT_URL: 'The payment gateway, http(s)://…; the built-in simulator unless set.',
  WAYBILL_WEBHOOK_SECRET:
    'What the payment gateway signs its webhooks with; made in the data folder for the built-in simulator unless set.',
  WAYBILL_WEBHOOK_URL: 'Where a payment simulator of its own process sends webhooks; nowhere unless set.',
  WAYBILL_SIMULATOR_PORT: 'Port of a payment simulator of its own process; 4003 unless set, 0 is any free one.',
  WAYBILL_RATE_LIMIT:
    'Requests a minute that each subject may make of a process; off with the development key, else 600 unless set.',
  WAYBILL_CORS_ORIGINS: 'Origins whose web pages may call the APIs, with commas between them; none unless set.',
  WAYBILL_PUBLIC_READ_URL: 'Base URL at which clients reach the read API; where it listens unless set.',
} as const;

export type Variable = keyof typeof variables;
export type Environment = Readonly<Record<string, string | undefined>>;

/** A file in the data folder, or a server. */
export type EventStoreChoice = { readonly kind: 'sqlite' } | { readonly kind: 'eventstoredb'; readonly url: string };
export type BrokerChoice = { readonly kind: 'memory' } | { readonly kind: 'rabbitmq'; readonly url: string };
export type ReadStoreChoice = { readonly kind: 'sqlite' } | { readonly kind: 'mongodb'; readonly url: string };

/** Whose tokens are believed. */
export interface IdentityProvider {
  readonly issuer: string;
  readonly jwksUrl: string;
  readonly audience: string;
}

/** Where everything is and how it is reached. One reading of the environment per process, at its composition root. */
export interface Config {
  readonly host: string;
  readonly writePort: number;
  readonly readPort: number;
  readonly healthPort: number | undefined;
  /** Absolute path of the folder of the embedded files. */
  readonly dataFolder: string;
  readonly eventStore: EventStoreChoice;
  readonly broker: BrokerChoice;
  readonly readStore: ReadStoreChoice;
  /** Base64; `undefined`: the one of the data folder. */
  readonly masterKey: string | undefined;
  /** Base64; the one before it, which keys may still be wrapped by. */
  readonly previousMasterKey: string | undefined;
  /** `undefined`: the development key of the data folder. */
  readonly identityProvider: IdentityProvider | undefined;
  /** Base URL of the payment gateway; `undefined`: the built-in simulator. */
  readonly paymentUrl: string | undefined;
  /** What the gateway signs webhooks with; `undefined`: the one of the data folder. Never without it where there is `paymentUrl`. */
  readonly webhookSecret: string | undefined;
  /** Where a simulator of its own process sends webhooks. */
  readonly webhookUrl: string | undefined;
  readonly simulatorPort: number;
  /** Requests a minute and subject; `undefined`: as many as they like. */
  readonly rateLimit: number | undefined;
  /** As browsers send them: `https://shop.example`. */
  readonly corsOrigins: readonly string[];
  /** Base URL at which clients reach the read API, without a slash at its end; where it listens unless set. */
  readonly publicReadUrl: string | undefined;
}

/** The embedded files, one each, by what they hold. */
export function dataFiles(dataFolder: string) {
  return {
    log: join(dataFolder, 'log.sqlite'),
    readModels: join(dataFolder, 'read-models.sqlite'),
    leases: join(dataFolder, 'leases.sqlite'),
    snapshots: join(dataFolder, 'snapshots.sqlite'),
    keys: join(dataFolder, 'keys.sqlite'),
    masterKey: join(dataFolder, 'master.key'),
    developmentKey: join(dataFolder, 'development-key.json'),
    webhookSecret: join(dataFolder, 'webhook.secret'),
    paymentLedger: join(dataFolder, 'payment-simulator.sqlite'),
    lock: join(dataFolder, 'lock.sqlite'),
    processes: join(dataFolder, 'processes.sqlite'),
  } as const;
}

/** Whether nothing but files of the data folder is used. */
export function isEmbedded({ eventStore, broker, readStore }: Config): boolean {
  return eventStore.kind === 'sqlite' && broker.kind === 'memory' && readStore.kind === 'sqlite';
}

/** Whether anything of the profile is a file of the data folder, so that its processes must share that folder. */
export function usesDataFolder({ eventStore, readStore }: Config): boolean {
  return eventStore.kind === 'sqlite' || readStore.kind === 'sqlite';
}

/** Whether an API needs the data folder: for what the profile keeps there, or for keys that nobody gave it. */
export function apiUsesDataFolder(config: Config): boolean {
  return usesDataFolder(config) || config.identityProvider === undefined || config.masterKey === undefined;
}

/** The same of the write API, which must know the secret of the gateway's webhooks too. */
export function writeApiUsesDataFolder(config: Config): boolean {
  return apiUsesDataFolder(config) || config.webhookSecret === undefined;
}

/** Whether fulfilment needs the data folder: for what the profile keeps there, or for the built-in payment simulator. */
export function fulfilmentUsesDataFolder(config: Config): boolean {
  return usesDataFolder(config) || config.paymentUrl === undefined;
}

/** Throws `BadConfiguration` unless several processes can work together as configured. */
export function assertShared({ broker }: Config): void {
  if (broker.kind !== 'memory') return;
  throw new BadConfiguration(
    'WAYBILL_BROKER is memory:, which ends with its process. Set it to amqp://… for processes of their own, or start everything in one with npm start.',
  );
}

/** Throws `BadConfiguration` where both APIs, in one process, would listen at one port. */
export function assertPortsDiffer({ writePort, readPort }: Pick<Config, 'writePort' | 'readPort'>): void {
  if (writePort !== readPort || writePort === 0) return;
  throw new BadConfiguration(
    `WAYBILL_WRITE_PORT and WAYBILL_READ_PORT both name port ${writePort}; set one of them to another.`,
  );
}

/** An address as it may be shown: without its password. */
export function shown(url: string): string {
  return url.replace(/^([^:/]+:\/\/[^:@/]*):[^@/]*@/, '$1:…@');
}

/** The configuration of an environment. Throws `BadConfiguration` with the variable's name and what it takes. */
export function readConfig(environment: Environment = process.env): Config {
  const valueOf = (name: Variable): string | undefined => environment[name] || undefined;

  function port<Otherwise>(name: Variable, otherwise: Otherwise): number | Otherwise {
    const text = valueOf(name);
    if (text === undefined) return otherwise;
    const number = Number(text);
    if (!Number.isInteger(number) || number < 0 || number > 65535) {
      throw new BadConfiguration(`${name} is "${text}"; it takes a port number from 0 to 65535 (0: any free one).`);
    }
    return number;
  }

  /** The server of a variable, or `undefined` for what is embedded. */
  function server(name: Variable, embedded: string, schemes: readonly string[]): string | undefined {
    const text = valueOf(name);
    if (text === undefined || text === embedded) return undefined;
    if (schemes.some((scheme) => text.startsWith(`${scheme}://`) && text.length > scheme.length + 3)) return text;
    const servers = schemes.map((scheme) => `${scheme}://…`).join(', ');
    throw new BadConfiguration(`${name} is "${shown(text)}"; it takes ${embedded} (the default) or ${servers}.`);
  }

  const provider = identityProvider(valueOf);
  const eventStore = server('WAYBILL_EVENT_STORE', 'sqlite:', eventStoreSchemes);
  const broker = server('WAYBILL_BROKER', 'memory:', ['amqp', 'amqps']);
  const readStore = server('WAYBILL_READ_STORE', 'sqlite:', ['mongodb', 'mongodb+srv']);
  return {
    host: valueOf('WAYBILL_HOST') ?? '127.0.0.1',
    writePort: port('WAYBILL_WRITE_PORT', 4000),
    readPort: port('WAYBILL_READ_PORT', 4001),
    healthPort: port('WAYBILL_HEALTH_PORT', undefined),
    dataFolder: resolve(valueOf('WAYBILL_DATA') ?? 'waybill-data'),
    eventStore: eventStore === undefined ? { kind: 'sqlite' } : { kind: 'eventstoredb', url: eventStore },
    broker: broker === undefined ? { kind: 'memory' } : { kind: 'rabbitmq', url: broker },
    readStore: readStore === undefined ? { kind: 'sqlite' } : { kind: 'mongodb', url: readStore },
    masterKey: valueOf('WAYBILL_MASTER_KEY'),
    previousMasterKey: valueOf('WAYBILL_MASTER_KEY_PREVIOUS'),
    identityProvider: provider,
    ...paymentGateway(valueOf),
    webhookUrl: webAddress('WAYBILL_WEBHOOK_URL', valueOf),
    simulatorPort: port('WAYBILL_SIMULATOR_PORT', 4003),
    rateLimit: rateLimit(valueOf('WAYBILL_RATE_LIMIT'), provider === undefined ? undefined : defaultRateLimit),
    corsOrigins: corsOrigins(valueOf('WAYBILL_CORS_ORIGINS')),
    publicReadUrl: webAddress('WAYBILL_PUBLIC_READ_URL', valueOf),
  };
}

/** Schemes of an address of EventStoreDB, under its old name and its new one. */
export const eventStoreSchemes: readonly string[] = ['esdb', 'esdb+discover', 'kurrentdb', 'kurrentdb+discover'];

function isWebAddress(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

const defaultRateLimit = 600;

function rateLimit(text: string | undefined, otherwise: number | undefined): number | undefined {
  if (text === undefined) return otherwise;
  if (text === 'off' || text === '0') return undefined;
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new BadConfiguration(`WAYBILL_RATE_LIMIT is "${text}"; it takes a number of requests a minute, or off.`);
}

function corsOrigins(text: string | undefined): readonly string[] {
  const origins = (text ?? '').split(',').flatMap((origin) => origin.trim().replace(/\/$/, '') || []);
  for (const origin of origins) {
    if (isWebAddress(origin) && new URL(origin).origin === origin) continue;
    throw new BadConfiguration(
      `WAYBILL_CORS_ORIGINS has "${shown(origin)}"; it takes origins such as https://shop.example, with commas between them.`,
    );
  }
  return origins;
}

/** An address without a slash at its end. */
function webAddress(name: Variable, valueOf: (name: Variable) => string | undefined): string | undefined {
  const text = valueOf(name);
  if (text === undefined || isWebAddress(text)) return text?.replace(/\/+$/, '');
  throw new BadConfiguration(`${name} is "${shown(text)}"; it takes an http(s) address.`);
}

function paymentGateway(valueOf: (name: Variable) => string | undefined): Pick<Config, 'paymentUrl' | 'webhookSecret'> {
  const paymentUrl = webAddress('WAYBILL_PAYMENT_URL', valueOf);
  const webhookSecret = valueOf('WAYBILL_WEBHOOK_SECRET');
  if (paymentUrl !== undefined && webhookSecret === undefined) {
    throw new BadConfiguration(
      'WAYBILL_PAYMENT_URL is set and WAYBILL_WEBHOOK_SECRET is not; without the secret, webhooks of the gateway cannot be verified.',
    );
  }
  return { paymentUrl, webhookSecret };
}

function identityProvider(valueOf: (name: Variable) => string | undefined): IdentityProvider | undefined {
  const issuer = valueOf('WAYBILL_OIDC_ISSUER');
  const jwksUrl = valueOf('WAYBILL_JWKS_URL');
  const audience = valueOf('WAYBILL_AUDIENCE');
  if (issuer === undefined && jwksUrl === undefined) {
    if (audience === undefined) return undefined;
    throw new BadConfiguration(
      'WAYBILL_AUDIENCE is set without an identity provider; it belongs to WAYBILL_OIDC_ISSUER and WAYBILL_JWKS_URL.',
    );
  }
  if (issuer === undefined || jwksUrl === undefined) {
    const [there, missing] =
      issuer === undefined ? ['WAYBILL_JWKS_URL', 'WAYBILL_OIDC_ISSUER'] : ['WAYBILL_OIDC_ISSUER', 'WAYBILL_JWKS_URL'];
    throw new BadConfiguration(`${there} is set and ${missing} is not; an identity provider takes both.`);
  }
  if (!isWebAddress(jwksUrl)) {
    throw new BadConfiguration(`WAYBILL_JWKS_URL is "${shown(jwksUrl)}"; it takes an http(s) address.`);
  }
  return { issuer, jwksUrl, audience: audience ?? 'waybill' };
}
