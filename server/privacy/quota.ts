/**
 * Owns how many tokens keys and tenants may use: a minute is a bucket that fills evenly, a day is a count that begins anew at
 * midnight UTC. What a request may need is reserved before it runs and settled by what it used. Refuses before, never in between.
 */
import { dayMs } from './clock.ts';
import { Refusal } from './errors.ts';
import type { Usage } from './store.ts';

export interface Limits {
  readonly tokensPerMinute?: number | undefined;
  readonly tokensPerDay?: number | undefined;
}

/** A key or a tenant with what it may use. */
export interface Account {
  readonly scope: Usage['scope'];
  readonly id: string;
  readonly limits: Limits;
}

/** What is left of the limit that is nearest to its end, in tokens. */
export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  /** Until all of it is there again. */
  readonly resetMs: number;
}

export interface Reservation {
  /** What was used in the end; once. */
  settle(tokens: number): void;
}

const minuteMs = 60_000;

export function dayOf(now: number): number {
  return Math.floor(now / dayMs);
}

class Meter {
  /** Tokens that may still be used in this minute, as of `at`; below 0 where requests used more than was there. */
  level = 0;
  at = Number.NEGATIVE_INFINITY;
  /** Settled and reserved tokens of the day. */
  settled = 0;
  reserved = 0;

  fill(limit: number, now: number): void {
    if (now > this.at) this.level = Math.min(limit, this.at === Number.NEGATIVE_INFINITY ? limit : this.level + ((now - this.at) * limit) / minuteMs);
    else this.level = Math.min(limit, this.level);
    this.at = Math.max(this.at, now);
  }
}

export class Quotas {
  readonly #meters = new Map<string, Meter>();
  /** Settled since the last take. */
  #unsaved = new Map<string, Usage>();
  #day: number;

  /** `used`: what the store knows of the day of `now`. */
  constructor(now: number, used: readonly Usage[] = []) {
    this.#day = dayOf(now);
    for (const { scope, id, tokens } of used) this.#meter(scope, id).settled = tokens;
  }

  /** Takes so many tokens from each account, or from none. Throws Refusal. */
  reserve(accounts: readonly Account[], tokens: number, now: number): Reservation {
    this.#turnDay(now);
    const meters = accounts.map((account) => ({ account, meter: this.#meter(account.scope, account.id) }));
    for (const { account, meter } of meters) check(account, meter, tokens, now);
    for (const { account, meter } of meters) {
      if (account.limits.tokensPerMinute !== undefined) meter.level -= tokens;
      meter.reserved += tokens;
    }
    const day = this.#day;
    let isOpen = true;
    return {
      settle: (used) => {
        if (!isOpen) return;
        isOpen = false;
        for (const { account, meter } of meters) {
          if (account.limits.tokensPerMinute !== undefined) meter.level += tokens - used;
          // What was reserved yesterday is forgotten; what was used counts on the day on which it ended, as in the store.
          if (day === this.#day) meter.reserved -= tokens;
          meter.settled += used;
          this.#remember(account, used);
        }
      },
    };
  }

  /** Undefined where none of the accounts has a limit. */
  read(accounts: readonly Account[], now: number): Allowance | undefined {
    this.#turnDay(now);
    return accounts
      .flatMap((account) => listAllowances(account, this.#meter(account.scope, account.id), now))
      .reduce<Allowance | undefined>((least, next) => (least === undefined || next.remaining < least.remaining ? next : least), undefined);
  }

  /** What has been used since the last call, for the store. */
  take(): readonly Usage[] {
    const taken = [...this.#unsaved.values()];
    this.#unsaved = new Map();
    return taken;
  }

  /** Takes back what could not be written. */
  keep(used: readonly Usage[]): void {
    for (const { scope, id, tokens } of used) this.#remember({ scope, id }, tokens);
  }

  get day(): number {
    return this.#day;
  }

  #remember({ scope, id }: Pick<Account, 'scope' | 'id'>, tokens: number): void {
    const key = `${scope} ${id}`;
    const before = this.#unsaved.get(key)?.tokens ?? 0;
    if (before + tokens > 0) this.#unsaved.set(key, { scope, id, tokens: before + tokens });
  }

  #turnDay(now: number): void {
    const day = dayOf(now);
    if (day <= this.#day) return;
    this.#day = day;
    for (const meter of this.#meters.values()) meter.settled = meter.reserved = 0;
  }

  #meter(scope: Usage['scope'], id: string): Meter {
    const key = `${scope} ${id}`;
    let meter = this.#meters.get(key);
    if (meter === undefined) this.#meters.set(key, (meter = new Meter()));
    return meter;
  }
}

function listAllowances({ limits }: Account, meter: Meter, now: number): readonly Allowance[] {
  const { tokensPerMinute: minute, tokensPerDay: day } = limits;
  if (minute !== undefined) meter.fill(minute, now);
  const left = (limit: number, remaining: number, resetMs: number): Allowance => ({ limit, remaining: Math.max(0, Math.floor(remaining)), resetMs });
  return [
    ...(minute === undefined ? [] : [left(minute, meter.level, ((minute - meter.level) * minuteMs) / minute)]),
    ...(day === undefined ? [] : [left(day, day - meter.settled - meter.reserved, (dayOf(now) + 1) * dayMs - now)]),
  ];
}

/** Throws Refusal. A request that is larger than a whole minute waits for a full bucket, and leaves a debt. */
function check({ scope, limits }: Account, meter: Meter, tokens: number, now: number): void {
  const { tokensPerMinute: minute, tokensPerDay: day } = limits;
  if (day !== undefined && meter.settled + meter.reserved + tokens > day) {
    throw new Refusal('quota_exceeded', { scope, limit: day, period: 'day', waitMs: (dayOf(now) + 1) * dayMs - now });
  }
  if (minute === undefined) return;
  meter.fill(minute, now);
  const missing = Math.min(tokens, minute) - meter.level;
  if (missing > 0) throw new Refusal('quota_exceeded', { scope, limit: minute, period: 'minute', waitMs: Math.ceil((missing * minuteMs) / minute) });
}
