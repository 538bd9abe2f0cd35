import { brokerContract } from '@waybill/shared-kernel/ports/broker.contract.js';
import { openMemoryBroker } from './broker.js';

brokerContract('memory', { open: (bounds) => Promise.resolve(openMemoryBroker(bounds)) });
