import { SingleBar } from 'cli-progress';
import type { SteadyClock } from '@waybill/shared-kernel/ports/clock.js';
import { counted } from './table.js';

/** Standard error, or what stands in for it. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** Shows how far a piece of work has come; nothing for what is done within a second. */
export interface Progress {
  /** `rate`: events a second, where it is known. */
  advance(done: number, total: number, rate?: number): void;
  /** Takes the bar away. */
  end(): void;
}

const answerTimeoutMs = 1_000;

/** A bar on a terminal. */
class Bar implements Progress {
  #bar: SingleBar | undefined;

  constructor(
    private readonly stream: ProgressStream,
    private readonly label: string,
    private readonly clock: SteadyClock,
    private readonly began = clock.now(),
  ) {}

  advance(done: number, total: number, rate?: number): void {
    const speed = { speed: speedOf(rate) };
    if (this.#bar === undefined) {
      if (this.clock.now() - this.began < answerTimeoutMs) return;
      this.#bar = new SingleBar({
        stream: this.stream as NodeJS.WritableStream,
        format: `${this.label} [{bar}] {percentage} %{speed}, {eta_formatted} left`,
        clearOnComplete: true,
        hideCursor: true,
      });
      this.#bar.start(total, done, speed);
    }
    this.#bar.setTotal(total);
    this.#bar.update(done, speed);
  }

  end(): void {
    this.#bar?.stop();
  }
}

/** Plain lines, for logs: one a tenth of the way, and at most one a second. */
class Lines implements Progress {
  #tenths = 0;

  constructor(
    private readonly stream: ProgressStream,
    private readonly label: string,
    private readonly clock: SteadyClock,
    private lastAt = clock.now(),
    private readonly began = lastAt,
  ) {}

  advance(done: number, total: number, rate?: number): void {
    const tenths = total === 0 ? 10 : Math.floor((done / total) * 10);
    const now = this.clock.now();
    if (tenths <= this.#tenths || now - this.lastAt < answerTimeoutMs) return;
    this.#tenths = tenths;
    this.lastAt = now;
    this.stream.write(`${this.label}: ${tenths * 10} %${speedOf(rate)}${this.#left(done, total, now, rate)}\n`);
  }

  end(): void {
    // Lines stay.
  }

  /** Said where the rate is. */
  #left(done: number, total: number, now: number, rate: number | undefined): string {
    if (rate === undefined || done === 0) return '';
    return `, ${counted(Math.ceil((((total - done) / done) * (now - this.began)) / 1000), 'second')} left`;
  }
}

function speedOf(rate: number | undefined): string {
  return rate === undefined ? '' : `, ${counted(rate, 'event')}/s`;
}

export function showProgress(stream: ProgressStream, label: string, clock: SteadyClock): Progress {
  return stream.isTTY === true ? new Bar(stream, label, clock) : new Lines(stream, label, clock);
}
