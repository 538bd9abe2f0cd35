import type { Caller } from './caller.js';

/**
 * Says who a bearer token stands for, or throws `Unauthenticated`. A token that was verified a moment ago is answered
 * at once, without a promise. One verifier per kind of key: the development key now, an identity provider's later.
 */
export type TokenVerifier = (token: string) => Caller | Promise<Caller>;
