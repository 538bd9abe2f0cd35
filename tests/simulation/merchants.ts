import { insist } from './client.js';
import { hour, minute } from './time.js';
import type { World } from './world.js';

const merchants = 12;
const productsOfEach = 6;

/** What can be bought: it is known which products there are, and not whether they still are. */
export class Merchants {
  readonly products: { readonly productId: string; readonly merchantId: string }[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  begin(): void {
    for (let number = 1; number <= merchants; number += 1) {
      const merchantId = `merchant-${number}`;
      this.#world.schedule.begin(async () => {
        for (let count = 0; count < productsOfEach; count += 1) await this.#list(merchantId);
        await this.#mindTheShop(merchantId);
      });
    }
  }

  async #list(merchantId: string): Promise<void> {
    const { chance } = this.#world;
    const name = `Product ${this.products.length + 1}`;
    const unitPrice = { amount: chance.is(0.08) ? 0 : chance.between(1, 500) * 100, currency: 'KRW' };
    const body = { name, unitPrice, ...(chance.is(0.6) && { stock: chance.between(0, 120) }) };
    const by = { sub: merchantId, role: 'merchant' } as const;
    const outcome = await insist({ by, route: '/v1/products', body }, this.#world);
    if (outcome === undefined || !('done' in outcome)) return;
    this.products.push({ productId: String(outcome.done.body['productId']), merchantId });
  }

  async #mindTheShop(merchantId: string): Promise<void> {
    const { schedule, chance } = this.#world;
    for (;;) {
      await schedule.pause(chance.between(20 * minute, 4 * hour));
      if (chance.is(0.02)) {
        await this.#list(merchantId);
        continue;
      }
      const own = this.products.filter((product) => product.merchantId === merchantId);
      if (own.length > 0) await this.#change(chance.one(own).productId, merchantId);
    }
  }

  async #change(id: string, merchantId: string): Promise<void> {
    const { chance } = this.#world;
    const by = { sub: merchantId, role: 'merchant' } as const;
    const what = chance.among({ stock: 0.66, price: 0.33 }, 'withdrawal');
    await insist({ by, route: `/v1/products/:productId/${what}`, id, body: this.#bodyOf(what) }, this.#world);
  }

  #bodyOf(what: 'stock' | 'price' | 'withdrawal'): object {
    const { chance } = this.#world;
    switch (what) {
      case 'stock':
        return { change: chance.is(0.9) ? chance.between(1, 60) : -chance.between(1, 40) };
      case 'price':
        return { unitPrice: { amount: chance.between(1, 500) * 100, currency: 'KRW' } };
      case 'withdrawal':
        return {};
      default:
        return what satisfies never;
    }
  }
}
