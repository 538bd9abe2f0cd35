import { brokerContract } from '@waybill/shared-kernel/ports/broker.contract.js';
import { openMemoryBroker } from './broker.js';

brokerContract('memory', { open: (capacity) => Promise.resolve(openMemoryBroker({ capacity })) });
