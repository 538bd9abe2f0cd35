import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { steadyClock } from '@waybill/infra/clock/steady.js';
import { systemClock } from '@waybill/infra/clock/system.js';
import { dataFiles } from '@waybill/infra/process/config.js';
import { openDevelopmentKey } from '@waybill/infra/http/identity/development-key.js';
import { createTokenVerifier } from '@waybill/infra/http/identity/tokens.js';
import { Waybill } from './testing/waybill.js';

let waybill: Waybill;

beforeAll(() => {
  waybill = new Waybill();
});

afterAll(() => {
  waybill.remove();
});

const verbs = [
  'token',
  'demo',
  'import olist',
  'replay order',
  'replay history',
  'audit verify',
  'rebuild',
  'quarantine list',
  'quarantine show',
  'quarantine release',
  'fulfilment list',
  'fulfilment show',
  'fulfilment retry',
  'fulfilment compensate',
  'status',
  'backup',
  'restore',
  'keys rotate',
  'migrate',
  'doctor',
];

describe('using the command line', () => {
  test.each(verbs)('waybill %s --help shows an example, and --json', async (verb) => {
    const { code, stdout, stderr } = await waybill.run(...verb.split(' '), '--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/Example:\n {2}\$ /);
    expect(stdout).toMatch('--json');
  });

  test('waybill --help lists the verbs', async () => {
    const { code, stdout } = await waybill.run('--help');
    expect(code).toBe(0);
    for (const verb of verbs) expect(stdout).toMatch(verb.split(' ')[0]!);
  });

  test('waybill --version is that of the package', async () => {
    expect(await waybill.run('--version')).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
  });

  test('descriptions are as wide as the terminal', async () => {
    const { stdout } = await waybill.run('doctor', '--help');
    const [, , first, second] = stdout.split('\n');
    expect(`${first} ${second?.split(' ')[0]}`.length).toBeGreaterThan(80);
  });

  test.each([
    [''],
    ['teleport'],
    ['teleport --help'],
    ['audit everything --help'],
    ['import'],
    ['import amazon x'],
    ['import olist'],
    ['replay'],
    ['replay order'],
    ['replay order x --as-of yesterday'],
    ['replay order x --known-at 2017-02-30T00:00:00Z'],
    ['replay order x --revision -1'],
    ['replay order x y'],
    ['replay history'],
    ['replay history --as-of 2017-11-24'],
    ['audit'],
    ['rebuild'],
    ['rebuild everything'],
    ['rebuild orders --twice'],
    ['quarantine'],
    ['quarantine show'],
    ['quarantine list --projection everything'],
    ['quarantine release'],
    ['quarantine release o-1 --all'],
    ['fulfilment'],
    ['fulfilment list --state lost'],
    ['fulfilment list --limit 0'],
    ['fulfilment show'],
    ['fulfilment retry o-1'],
    ['fulfilment retry --reason late'],
    ['fulfilment compensate o-1'],
    ['fulfilment compensate o-1 --reason='],
    ['status --loudly'],
    ['migrate'],
    ['migrate --to mongodb://localhost'],
    ['migrate --to esdb://localhost:2113'],
    ['backup'],
    ['restore'],
    ['token --role customer'],
    ['token --sub anna'],
    ['token --role king --sub anna'],
    ['token --role customer --sub ../anna'],
    ['token --role customer --sub anna --expires-in forever'],
    ['demo --orders none'],
    ['demo --rate 0'],
  ])('wrong use is 2, said on standard error: waybill %s', async (line) => {
    const { code, stdout, stderr } = await waybill.run(...line.split(' ').filter(Boolean));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toBe('');
    expect(stderr).not.toMatch(/\n {4}at /);
    expect(existsSync(waybill.dataFolder)).toBe(false);
  });

  test('demo without a server is 3, with what to do', async () => {
    expect(await waybill.run('demo')).toEqual({
      code: 3,
      stdout: '',
      stderr: 'No server answers at http://127.0.0.1:1. Start it with npm start, then run this again.\n',
    });
  });

  test('token prints a bare token that the APIs take, with or without --json', async () => {
    const words = ['token', '--role', 'courier', '--role', 'operator', '--sub', 'olga', '--expires-in', '15m'];
    const { trusted } = await (async () => {
      expect(await waybill.run(...words)).toMatchObject({ code: 0, stderr: '' });
      return openDevelopmentKey(dataFiles(waybill.dataFolder).developmentKey);
    })();
    const verify = createTokenVerifier(trusted, { wallClock: systemClock, steadyClock });
    for (const more of [[], ['--json']]) {
      const { stdout } = await waybill.run(...words, ...more);
      expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
      expect(await verify(stdout.trim())).toEqual({ sub: 'olga', roles: ['courier', 'operator'] });
      const { exp, iat } = JSON.parse(Buffer.from(stdout.split('.')[1]!, 'base64url').toString()) as Record<
        string,
        number
      >;
      expect(exp! - iat!).toBe(900);
    }
  });
});
