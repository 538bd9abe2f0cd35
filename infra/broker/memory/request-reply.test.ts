import { requestReplyContract } from '@waybill/shared-kernel/ports/request-reply.contract.js';
import { openMemoryRequestReply } from './request-reply.js';

requestReplyContract('memory', {
  open: async () => {
    const one = openMemoryRequestReply();
    return { asking: one, answering: one };
  },
});
