import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { apiUsesDataFolder, writeApiUsesDataFolder } from './config.js';
import { openKeys } from './engines.js';
import { edgeOf, type Edge } from '../http/edge.js';
import { listen, type Api } from '../http/server/listen.js';
import type { Readiness } from '../http/pages/public-pages.js';
import { tokenVerifierOf } from '../http/identity/token-verifier.js';
import type { TokenVerifier } from '../http/identity/tokens.js';
import { cachedKeys, keyCacheBounds } from '../keys/cached.js';
import { beginPart, type Part } from './part.js';
import { runProcess } from './run-process.js';
import { sayWhatIsMissing } from './say-what-is-missing.js';
import type { TraceRequest } from '../telemetry/tracing.js';

/** What both APIs begin with. */
export interface ApiPart extends Part, Edge {
  readonly keys: KeyStore;
  readonly verify: TokenVerifier;
  readonly traceRequest: TraceRequest | undefined;
}

/** An API that can be served, and the stores behind it. */
export interface OpenedApi {
  readonly api: Api;
  /** What `/readyz` answers. */
  readonly ready: () => Promise<Readiness>;
  /** Resolves, with a sentence, when something behind it ended that should not have. */
  readonly broken?: Promise<string> | undefined;
  /** Closes the stores. */
  close(): Promise<void>;
}

const apis = {
  'write-api': {
    title: 'write API',
    port: 'writePort',
    portVariable: 'WAYBILL_WRITE_PORT',
    usesFolder: writeApiUsesDataFolder,
  },
  'read-api': { title: 'read API', port: 'readPort', portVariable: 'WAYBILL_READ_PORT', usesFolder: apiUsesDataFolder },
} as const;

/** Runs an API as a process of its own, until it is asked to stop. */
export function runApi(
  name: keyof typeof apis,
  open: (part: ApiPart) => OpenedApi | Promise<OpenedApi>,
): Promise<void> {
  return runProcess(async () => {
    const { title, port, portVariable, usesFolder } = apis[name];
    const part = await beginPart(name, usesFolder);
    const { config, clock, steadyClock, randomness, telemetry } = part;
    const { traceRequest } = telemetry;
    const keys = cachedKeys(openKeys(config, randomness), { ...keyCacheBounds, clock: steadyClock });
    const opened = await open({
      ...part,
      ...edgeOf(config),
      keys,
      traceRequest,
      verify: await tokenVerifierOf(config, { wallClock: clock, steadyClock }),
    });
    const listening = await listen(opened.api, { host: config.host, port: config[port], portVariable });
    const saying = sayWhatIsMissing(opened.ready, part);
    return {
      greeting: `Waybill's ${title} is running: ${listening.url}  (documentation: ${listening.url}/docs)\n`,
      stop: async () => {
        saying.stop();
        await listening.close();
        await opened.close();
        await keys.close();
        await telemetry.close();
        part.release();
      },
      ...(opened.broken && { broken: opened.broken }),
    };
  });
}
