import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { Registry } from 'prom-client';
import { encodeConsistencyToken } from '@waybill/shared-kernel/consistency-token.js';
import type { Address } from '@waybill/shared-kernel/address.js';
import type { WaybillEvent } from '@waybill/shared-kernel/events/catalogue.js';
import { seal } from '@waybill/shared-kernel/personal-data.js';
import type { KeyStore } from '@waybill/shared-kernel/ports/keys.js';
import { noStream } from '@waybill/shared-kernel/ports/event-store.js';
import { deliveryIdOf, streamName } from '@waybill/shared-kernel/stream.js';
import { seededRandomness, virtualClock, type VirtualClock } from '@waybill/infra/clock/seeded.js';
import { MemoryEventStore } from '@waybill/infra/event-store/memory/memory-event-store.js';
import type { Role } from '@waybill/infra/http/caller.js';
import { issueDevelopmentToken, openDevelopmentKey } from '@waybill/infra/http/development-key.js';
import { listen } from '@waybill/infra/http/listen.js';
import { checkedClient, type Call, type Reply } from '@waybill/infra/http/testing/checked-client.js';
import { createTokenVerifier } from '@waybill/infra/http/tokens.js';
import { openMemoryKeyStore } from '@waybill/infra/keys/memory/key-store.js';
import { openSqliteReadStore } from '@waybill/infra/read-store/sqlite/read-store.js';
import { catchUp } from '@waybill/projections/catch-up.js';
import { projections } from '@waybill/projections/catalogue.js';
import {
  happening,
  onDelivery,
  onOrder,
  type Happening,
  type HappeningOptions,
} from '@waybill/projections/testing/history.js';
import { readApiDocument } from '../openapi.js';
import { createReadApi } from '../read-api.js';
