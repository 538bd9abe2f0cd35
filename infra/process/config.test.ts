import { resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { BadConfiguration } from '@waybill/shared-kernel/errors.js';
import {
  apiUsesDataFolder,
  fulfilmentUsesDataFolder,
  isEmbedded,
  readConfig,
  shown,
  usesDataFolder,
  writeApiUsesDataFolder,
  type Environment,
} from './config.js';

function refusal(environment: Environment): string {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof BadConfiguration) return error.message;
    throw error;
  }
  return 'taken';
}

describe('the configuration', () => {
  test('of an empty environment is all embedded', () => {
    const config = readConfig({});
    expect(config).toMatchObject({
      host: '127.0.0.1',
      writePort: 4000,
      readPort: 4001,
      dataFolder: resolve('waybill-data'),
      eventStore: { kind: 'sqlite' },
      broker: { kind: 'memory' },
      readStore: { kind: 'sqlite' },
    });
    expect([isEmbedded(config), usesDataFolder(config)]).toEqual([true, true]);
    expect(readConfig({ WAYBILL_EVENT_STORE: 'sqlite:', WAYBILL_BROKER: 'memory:', WAYBILL_READ_STORE: '' })).toEqual(
      config,
    );
  });

  test('needs one for the secret of webhooks and for the built-in simulator, where nobody gave them', () => {
    const servers = {
      WAYBILL_EVENT_STORE: 'esdb://h?tls=false',
      WAYBILL_READ_STORE: 'mongodb://h/waybill',
      WAYBILL_MASTER_KEY: 'k',
      WAYBILL_OIDC_ISSUER: 'i',
      WAYBILL_JWKS_URL: 'https://id.example/keys',
    };
    const uses = (environment: Environment) => {
      const config = readConfig({ ...servers, ...environment });
      return [apiUsesDataFolder(config), writeApiUsesDataFolder(config), fulfilmentUsesDataFolder(config)];
    };
    expect(uses({})).toEqual([false, true, true]);
    expect(uses({ WAYBILL_WEBHOOK_SECRET: 's' })).toEqual([false, false, true]);
    expect(uses({ WAYBILL_WEBHOOK_SECRET: 's', WAYBILL_PAYMENT_URL: 'https://p.example' })).toEqual([
      false,
      false,
      false,
    ]);
  });

  test.each([
    ['WAYBILL_EVENT_STORE', 'esdb://admin:changeit@host:2113', 'eventStore', 'eventstoredb'],
    ['WAYBILL_EVENT_STORE', 'esdb+discover://host?tls=false', 'eventStore', 'eventstoredb'],
    ['WAYBILL_EVENT_STORE', 'kurrentdb://host:2113?tls=false', 'eventStore', 'eventstoredb'],
    ['WAYBILL_BROKER', 'amqp://user:secret@host:5672/vhost', 'broker', 'rabbitmq'],
    ['WAYBILL_BROKER', 'amqps://host', 'broker', 'rabbitmq'],
    ['WAYBILL_READ_STORE', 'mongodb://host:27017/waybill', 'readStore', 'mongodb'],
    ['WAYBILL_READ_STORE', 'mongodb+srv://host/waybill', 'readStore', 'mongodb'],
  ])('takes a server: %s=%s', (name, url, part, kind) => {
    const config = readConfig({ [name]: url });
    expect(config).toMatchObject({ [part]: { kind, url } });
    expect(isEmbedded(config)).toBe(false);
  });

  test('needs no data folder with servers for the log and the read models', () => {
    const servers = { WAYBILL_EVENT_STORE: 'esdb://h?tls=false', WAYBILL_READ_STORE: 'mongodb://h/waybill' };
    expect(usesDataFolder(readConfig(servers))).toBe(false);
  });

  test.each([
    [
      { WAYBILL_EVENT_STORE: 'mongodb://host' },
      'WAYBILL_EVENT_STORE is "mongodb://host"; it takes sqlite: (the default)',
    ],
    [
      { WAYBILL_BROKER: 'amqp://' },
      'WAYBILL_BROKER is "amqp://"; it takes memory: (the default) or amqp://…, amqps://…',
    ],
    [{ WAYBILL_READ_STORE: 'sqlite:elsewhere' }, 'WAYBILL_READ_STORE is "sqlite:elsewhere"'],
    [{ WAYBILL_HEALTH_PORT: '99999' }, 'WAYBILL_HEALTH_PORT is "99999"; it takes a port number'],
    [{ WAYBILL_WRITE_PORT: 'x' }, 'WAYBILL_WRITE_PORT is "x"; it takes a port number'],
    [{ WAYBILL_OIDC_ISSUER: 'https://id.example' }, 'WAYBILL_JWKS_URL is not'],
    [{ WAYBILL_JWKS_URL: 'https://id.example/keys' }, 'WAYBILL_OIDC_ISSUER is not'],
    [
      { WAYBILL_AUDIENCE: 'shop' },
      'WAYBILL_AUDIENCE is set without an identity provider; it belongs to WAYBILL_OIDC_ISSUER',
    ],
    [{ WAYBILL_PUBLIC_READ_URL: 'not an address' }, 'WAYBILL_PUBLIC_READ_URL is "not an address"; it takes an http(s)'],
    [{ WAYBILL_RATE_LIMIT: 'many' }, 'WAYBILL_RATE_LIMIT is "many"; it takes a number of requests a minute, or off'],
    [{ WAYBILL_RATE_LIMIT: '-1' }, 'WAYBILL_RATE_LIMIT is "-1"'],
    [{ WAYBILL_CORS_ORIGINS: '*' }, 'WAYBILL_CORS_ORIGINS has "*"; it takes origins such as https://shop.example'],
    [{ WAYBILL_CORS_ORIGINS: 'https://a.example,b.example' }, 'WAYBILL_CORS_ORIGINS has "b.example"'],
    [{ WAYBILL_CORS_ORIGINS: 'https://a.example/shop' }, 'WAYBILL_CORS_ORIGINS has "https://a.example/shop"'],
    [{ WAYBILL_PAYMENT_URL: 'https://pay.example' }, 'WAYBILL_WEBHOOK_SECRET is not'],
    [
      { WAYBILL_PAYMENT_URL: 'pay.example', WAYBILL_WEBHOOK_SECRET: 's' },
      'WAYBILL_PAYMENT_URL is "pay.example"; it takes an http(s) address',
    ],
    [{ WAYBILL_WEBHOOK_URL: 'write-api' }, 'WAYBILL_WEBHOOK_URL is "write-api"; it takes an http(s) address'],
    [{ WAYBILL_SIMULATOR_PORT: 'x' }, 'WAYBILL_SIMULATOR_PORT is "x"; it takes a port number'],
    [{ WAYBILL_PUBLIC_READ_URL: 'shop.example' }, 'WAYBILL_PUBLIC_READ_URL is "shop.example"'],
    [
      { WAYBILL_OIDC_ISSUER: 'i', WAYBILL_JWKS_URL: 'file:///k' },
      'WAYBILL_JWKS_URL is "file:///k"; it takes an http(s)',
    ],
  ])('refuses %j', (environment, words) => {
    expect(refusal(environment)).toContain(words);
  });

  test('never says a password', () => {
    expect(shown('amqp://user:secret@host:5672/v')).toBe('amqp://user:…@host:5672/v');
    expect(shown('mongodb://host/waybill')).toBe('mongodb://host/waybill');
    expect(refusal({ WAYBILL_READ_STORE: 'postgres://user:secret@host' })).not.toContain('secret');
  });

  test('takes an identity provider', () => {
    const provider = { WAYBILL_OIDC_ISSUER: 'https://id.example', WAYBILL_JWKS_URL: 'https://id.example/keys' };
    expect(readConfig(provider).identityProvider).toEqual({
      issuer: 'https://id.example',
      jwksUrl: 'https://id.example/keys',
      audience: 'waybill',
    });
    expect(readConfig({}).identityProvider).toBeUndefined();
  });

  test('takes a payment gateway, or has the simulator with a secret of its own or one that is given', () => {
    const gateway = { WAYBILL_PAYMENT_URL: 'https://pay.example/', WAYBILL_WEBHOOK_SECRET: 'shared' };
    expect(readConfig(gateway)).toMatchObject({ paymentUrl: 'https://pay.example', webhookSecret: 'shared' });
    expect(readConfig({})).toMatchObject({ paymentUrl: undefined, webhookSecret: undefined, simulatorPort: 4003 });
    expect(readConfig({ WAYBILL_WEBHOOK_SECRET: 'shared' })).toMatchObject({
      paymentUrl: undefined,
      webhookSecret: 'shared',
    });
  });

  test('limits nobody with the development key, else each subject to 600 a minute, or as it is told', () => {
    const provider = { WAYBILL_OIDC_ISSUER: 'https://id.example', WAYBILL_JWKS_URL: 'https://id.example/keys' };
    expect(readConfig({}).rateLimit).toBeUndefined();
    expect(readConfig(provider).rateLimit).toBe(600);
    expect(readConfig({ WAYBILL_RATE_LIMIT: '50' }).rateLimit).toBe(50);
    for (const off of ['off', '0'])
      expect(readConfig({ ...provider, WAYBILL_RATE_LIMIT: off }).rateLimit).toBeUndefined();
  });

  test('takes a list of origins', () => {
    expect(readConfig({}).corsOrigins).toEqual([]);
    expect(readConfig({ WAYBILL_CORS_ORIGINS: 'https://a.example, http://localhost:5173/' }).corsOrigins).toEqual([
      'https://a.example',
      'http://localhost:5173',
    ]);
  });
});
