import { Matches } from 'class-validator';
import { IsWhole } from './rules.js';

/** The largest price, minor units. */
export const largestAmount = 1_000_000_000_000;

export class MoneyBody {
  @IsWhole(0, largestAmount)
  amount!: number;

  @Matches(/^[A-Z]{3}$/, { message: 'It must be an ISO 4217 currency such as KRW.' })
  currency!: string;
}
