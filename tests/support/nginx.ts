import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { freePort } from '@waybill/infra/testing/loopback-port.js';
import { until } from '@waybill/shared-kernel/testing/until.js';
import { checkout } from '../house/checkout.js';

/** nginx, also where it is on no user's PATH, as on Debian; `undefined` where it is not installed. */
const nginx = ['nginx', '/usr/sbin/nginx'].find((command) => spawnSync(command, ['-v']).error === undefined);

if (nginx === undefined && process.env['WAYBILL_TEST_NGINX']) {
  throw new Error('WAYBILL_TEST_NGINX is set and nginx is not installed');
}

/** `describe` where there is nginx. */
export const describeWithNginx: (name: string, tests: () => void) => void =
  nginx === undefined ? describe.skip : describe;

const folder = join(checkout, 'infra', 'deploy', 'gateway');

/** Addresses of APIs, `host:port` or URLs. */
export interface Upstreams {
  readonly write: readonly string[];
  readonly read: readonly string[];
}

/** A line of the gateway's access log. */
export interface AccessLogLine {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** All that were tried, with commas. */
  readonly upstream: string;
  readonly requestId: string;
}

export interface Gateway {
  readonly url: string;
  accessLog(): Promise<readonly AccessLogLine[]>;
  /** The line of a request, which is written some time after its answer. */
  logged(requestId: string): Promise<AccessLogLine>;
  stop(): Promise<void>;
}

/**
 * The addresses of an upstreams file replaced, nothing else of it; a name that is to be resolved again and again is
 * something newer versions alone know, and addresses need no resolving.
 */
export function withAddresses(text: string, { write, read }: Upstreams): string {
  const servers = (name: string, addresses: readonly string[]) => {
    const line = new RegExp(`^( *)server ${name}[.\\w-]*:\\d+(?: resolve)? ([^;]*);$`, 'gm');
    if (!line.test(text)) throw new Error(`no server of ${name} in the upstreams`);
    text = text.replace(line, (_line, indent: string, parameters: string) =>
      addresses.map((address) => `${indent}server ${address.replace('http://', '')} ${parameters};`).join('\n'),
    );
  };
  servers('write-api', write);
  servers('read-api', read);
  return text.replace(/^resolver(_timeout)? .*;$/gm, '');
}

/** The gateway's files in a folder of their own: its port, its paths and the addresses of the APIs are other ones. */
async function prepare(upstreamsFile: string, upstreams: Upstreams) {
  const scratch = await mkdtemp(join(tmpdir(), 'waybill-gateway-'));
  // Started by root, its workers are somebody else.
  await chmod(scratch, 0o755);
  await mkdir(join(scratch, 'tmp'));
  await chmod(join(scratch, 'tmp'), 0o777);
  const port = await freePort();
  const text = await readFile(join(folder, 'nginx.conf'), 'utf8');
  const settings = text
    .replaceAll(' /tmp/', ` ${scratch}/tmp/`)
    .replace('listen 8080 ', `listen 127.0.0.1:${port} `)
    .replace('/dev/stdout', join(scratch, 'access.log'))
    .replace('/dev/stderr', join(scratch, 'error.log'));
  await writeFile(join(scratch, 'nginx.conf'), settings);
  await writeFile(join(scratch, 'headers.conf'), await readFile(join(folder, 'headers.conf')));
  await writeFile(join(scratch, 'upstreams.conf'), withAddresses(await readFile(upstreamsFile, 'utf8'), upstreams));
  const args = ['-e', join(scratch, 'error.log'), '-c', join(scratch, 'nginx.conf')];
  return { scratch, port, args };
}

/** What `nginx -t` says of the gateway with an upstreams file: its exit code and its words. */
export async function checkGateway(upstreamsFile: string): Promise<{ readonly code: number | null; said: string }> {
  const { scratch, args } = await prepare(upstreamsFile, { write: ['127.0.0.1:1'], read: ['127.0.0.1:2'] });
  try {
    const { status, stderr } = spawnSync(nginx!, ['-t', ...args], { encoding: 'utf8' });
    return { code: status, said: stderr };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Starts the gateway in front of these APIs and waits until it answers. */
export async function startGateway(upstreams: Upstreams): Promise<Gateway> {
  for (let attempt = 1; ; attempt += 1) {
    const { scratch, port, args } = await prepare(join(folder, 'upstreams.conf'), upstreams);
    const url = `http://127.0.0.1:${port}`;
    const child = spawn(nginx!, [...args, '-g', 'daemon off;'], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    const answers = () => fetch(`${url}/healthz`).catch(() => undefined);
    while (child.exitCode === null && (await answers())?.ok !== true);
    if (child.exitCode !== null) {
      const said = await readFile(join(scratch, 'error.log'), 'utf8');
      await rm(scratch, { recursive: true, force: true });
      // Somebody else took the port that was free a moment ago.
      if (said.includes('Address already in use') && attempt < 5) continue;
      throw new Error(said);
    }
    const accessLog = async (): Promise<readonly AccessLogLine[]> =>
      (await readFile(join(scratch, 'access.log'), 'utf8'))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as AccessLogLine);
    return {
      url,
      accessLog,
      logged: async (requestId) => {
        let found: AccessLogLine | undefined;
        await until(async () => {
          found = (await accessLog()).find((line) => line.requestId === requestId);
          return found !== undefined;
        });
        return found!;
      },
      stop: async () => {
        child.kill('SIGTERM');
        await ended;
        await rm(scratch, { recursive: true, force: true });
      },
    };
  }
}
