import fc from 'fast-check';
import { runs } from '@waybill/shared-kernel/testing/length.js';

/** What is sold: `tea` is not counted, of `cup` there are plenty, of `rare` fewer than are wanted. */
export type Kind = keyof typeof stocks;
export const stocks = { tea: null, cup: 10_000, rare: 25 } as const;

/** What customer and courier mean to do about one order. */
export interface OrderPlan {
  readonly lines: readonly { readonly kind: Kind; readonly quantity: number }[];
  /** One of the test gateway's. */
  readonly token: string;
  /** `early`: as soon as it is placed; `late`: when it is scheduled, at the moment it is picked up. */
  readonly cancels: 'never' | 'early' | 'late';
  readonly courier:
    'never comes' | 'is on the way' | 'delivers' | 'delivers at the second attempt' | 'gives up' | 'brings it back';
}

const kinds = fc.constantFrom<Kind>('tea', 'cup', 'rare');
const quantity = fc.integer({ min: 1, max: 3 });

const plan: fc.Arbitrary<OrderPlan> = fc.record({
  lines: fc.uniqueArray(fc.record({ kind: kinds, quantity }), {
    minLength: 1,
    maxLength: 2,
    selector: ({ kind }) => kind,
  }),
  token: chosen({
    tok_approve: 8,
    tok_decline: 2,
    tok_slow: 3,
    tok_fail_once: 2,
    tok_double: 2,
  }),
  cancels: chosen({ never: 6, early: 1, late: 2 }),
  courier: chosen({
    'never comes': 3,
    'is on the way': 1,
    delivers: 5,
    'delivers at the second attempt': 1,
    'gives up': 1,
    'brings it back': 1,
  }),
});

/** So many plans, the same for the same seed. The first are of payments that nobody ever answers. */
export function plansOf(seed: number, count: number): readonly OrderPlan[] {
  const plans = fc.sample(plan, { seed, numRuns: count, unbiased: true });
  return plans.map((drawn, index) => (index < hangingCount ? { ...drawn, ...hanging[index] } : drawn));
}

/** Each costs the gateway's client fifteen seconds, so there are few, and none in the short form. */
const hanging: readonly Partial<OrderPlan>[] = [
  { token: 'tok_hang', cancels: 'never', courier: 'never comes' },
  { token: 'tok_hang', cancels: 'early', courier: 'never comes' },
  { token: 'tok_hang', cancels: 'late', courier: 'never comes' },
];
const hangingCount = runs(0, hanging.length);

function chosen<Choice extends string>(weights: Readonly<Record<Choice, number>>): fc.Arbitrary<Choice> {
  return fc.oneof(
    ...Object.entries<number>(weights).map(([choice, weight]) => ({
      weight,
      arbitrary: fc.constant(choice as Choice),
    })),
  );
}
