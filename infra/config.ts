import { join, resolve } from 'node:path';
import { BadConfiguration } from '@waybill/shared-kernel/errors.js';

/** Where everything is and how it is reached. One reading of the environment per process, at its composition root. */
export interface Config {
  readonly host: string;
  readonly writePort: number;
  readonly readPort: number;
  /** Absolute path of the folder of the embedded files. */
  readonly dataFolder: string;
  /** Base URL at which clients reach the read API, without a slash at its end; where it listens unless set. */
  readonly publicReadUrl: string | undefined;
}

/** The embedded files, one each, by what they hold. */
export function dataFiles(dataFolder: string) {
  return {
    log: join(dataFolder, 'log.sqlite'),
    readModels: join(dataFolder, 'read-models.sqlite'),
    keys: join(dataFolder, 'keys.sqlite'),
    masterKey: join(dataFolder, 'master.key'),
    developmentKey: join(dataFolder, 'development-key.json'),
    lock: join(dataFolder, 'lock.sqlite'),
  } as const;
}

function port(environment: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const text = environment[name];
  if (text === undefined || text === '') return otherwise;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0 || number > 65535) {
    throw new BadConfiguration(`${name} is "${text}"; it takes a port number from 0 to 65535 (0: any free one).`);
  }
  return number;
}

function embeddedOnly(environment: NodeJS.ProcessEnv, name: string, embedded: string): void {
  const text = environment[name];
  if (text === undefined || text === '' || text === embedded) return;
  throw new BadConfiguration(`${name} is "${text}"; this version takes "${embedded}" only. Unset it.`);
}

/** The configuration of an environment. Throws `BadConfiguration` with the variable's name and what it takes. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  embeddedOnly(environment, 'WAYBILL_EVENT_STORE', 'sqlite:');
  embeddedOnly(environment, 'WAYBILL_READ_STORE', 'sqlite:');
  embeddedOnly(environment, 'WAYBILL_BROKER', 'memory:');
  return {
    host: environment['WAYBILL_HOST'] || '127.0.0.1',
    writePort: port(environment, 'WAYBILL_WRITE_PORT', 4000),
    readPort: port(environment, 'WAYBILL_READ_PORT', 4001),
    dataFolder: resolve(environment['WAYBILL_DATA'] || 'waybill-data'),
    publicReadUrl: environment['WAYBILL_PUBLIC_READ_URL']?.replace(/\/+$/, '') || undefined,
  };
}
