import { IsCurrency, IsWhole } from './rules.js';

/** The largest price, minor units. */
export const largestAmount = 1_000_000_000_000;

export class MoneyBody {
  @IsWhole(0, largestAmount)
  amount!: number;

  @IsCurrency()
  currency!: string;
}
