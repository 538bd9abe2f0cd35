import type { Money } from '@waybill/shared-kernel/money.js';

/** For people: the amount in major units with as many decimals as the currency has, such as `EUR 18.00`. */
export function moneyText({ amount, currency }: Money): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'code' });
  const { maximumFractionDigits = 2 } = format.resolvedOptions();
  return format.format(amount / 10 ** maximumFractionDigits).replace('\u00a0', ' ');
}
