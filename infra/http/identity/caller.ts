/** The roles a token may carry. `operator` may do nearly everything, `auditor` reads without personal data. */
export const roles = ['customer', 'courier', 'merchant', 'operator', 'auditor'] as const;
export type Role = (typeof roles)[number];

/** Who calls, as a verified token says. A customer's `sub` is the customer id, a courier's the courier id, and so on. */
export interface Caller {
  readonly sub: string;
  /** At least one, none twice. */
  readonly roles: readonly Role[];
}

export function isRole(value: unknown): value is Role {
  return roles.some((role) => role === value);
}
