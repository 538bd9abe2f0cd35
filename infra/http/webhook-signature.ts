import { createHmac, timingSafeEqual } from 'node:crypto';

/** The header by which the gateway shows that a webhook is from it; in lower case, as Node has them. */
export const webhookSignatureHeader = 'x-waybill-signature';

/** What `X-Waybill-Signature` says of a body: `sha256=` and the HMAC-SHA256 of its bytes in hexadecimal. */
export function webhookSignature(secret: string, rawBody: Uint8Array | string): string {
  return `sha256=${createHmac('sha256', secret).update(rawBody).digest('hex')}`;
}

/**
 * Whether a header is the signature of a body, of the bytes as they came. How long it takes to say so tells nothing of
 * the right one.
 */
export function isWebhookSignature(secret: string, rawBody: Uint8Array | string, header: string | undefined): boolean {
  // Of the same length whatever was sent, for `timingSafeEqual` throws where lengths differ.
  const digest = (text: string): Buffer => createHmac('sha256', secret).update(text).digest();
  return timingSafeEqual(digest(header ?? ''), digest(webhookSignature(secret, rawBody)));
}
