import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readConfig, variables, type Variable } from '@waybill/infra/process/config.js';
import { checkout, read, sources } from '../house/checkout.js';
import { filesBelow } from './files.js';

const known = Object.keys(variables);
const deployFiles = ['Dockerfile', ...filesBelow('infra/deploy')];
const documents = ['README.md', ...readdirSync(join(checkout, 'docs')).filter((name) => name.endsWith('.md'))].map(
  (name) => (name === 'README.md' ? name : `docs/${name}`),
);

/** Variables of the configuration that no deployment sets, and why. */
const notDeployed: Partial<Record<Variable, string>> = {};

function namedIn(files: readonly string[]): ReadonlySet<string> {
  return new Set(files.flatMap((file) => [...read(file).matchAll(/\bWAYBILL_[A-Z_]+\b/g)].map(([name]) => name)));
}

describe('every variable', () => {
  test('that a deploy file names is one of the configuration', () => {
    expect([...namedIn(deployFiles)].filter((name) => !known.includes(name))).toEqual([]);
  });

  test('of the configuration is set in a deploy file, unless there is a reason', () => {
    const named = namedIn(deployFiles);
    expect(known.filter((name) => !named.has(name))).toEqual(Object.keys(notDeployed));
  });

  test('of the configuration is in the README and in docs/deployment.md', () => {
    for (const document of ['README.md', 'docs/deployment.md']) {
      const named = namedIn([document]);
      expect([document, known.filter((name) => !named.has(name))]).toEqual([document, []]);
    }
  });

  test('that a document names is one of the configuration, of a test or of a benchmark', () => {
    const named = [...namedIn(documents)].filter((name) => !/^WAYBILL_(TEST|BENCH|OLIST)/.test(name));
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  test('of the configuration is read', () => {
    const asked = new Set<string>();
    const given: Record<string, string> = {
      WAYBILL_OIDC_ISSUER: 'https://a.example',
      WAYBILL_JWKS_URL: 'https://a.example',
    };
    readConfig(
      new Proxy(given, {
        get: (_given, name) => {
          asked.add(String(name));
          return given[String(name)];
        },
      }),
    );
    expect([...asked].toSorted()).toEqual(known.toSorted());
  });

  test('that the processes read is one of the configuration', () => {
    const files = sources().filter((file) => !/\.(test|contract)\.ts$|\/testing\/|^tests\//.test(file));
    expect([...namedIn(files)].filter((name) => !known.includes(name) && !/^WAYBILL_(TEST|BENCH)/.test(name))).toEqual(
      [],
    );
  });
});
