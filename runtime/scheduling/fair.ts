/**
 * Owns the order in which waiting sequences get their turn: classes by weight, in each class tenants by the service that they
 * had (virtual token counters: Sheng et al. 2024, "Fairness in Serving Large Language Models"), and each tenant's own sequences
 * as they came. Whoever waits while others are served more is next; who was away gains nothing by it. Pure.
 */

import { type Priority, priorities } from '../types.ts';
import type { Sequence } from './sequence.ts';

/** What a class gets of the service while all of them wait. */
const weights: Readonly<Record<Priority, number>> = { interactive: 8, batch: 1 };

/** Service of a generated token, where one of a prompt is 1. */
export const generatedWeight = 2;

class Account {
  service = 0;
  /** Sequences that wait or run. */
  present = 0;
}

class TenantAccount extends Account {
  readonly tenant: number;
  readonly waiting: Sequence[] = [];

  constructor(tenant: number) {
    super();
    this.tenant = tenant;
  }
}

class PriorityClass extends Account {
  readonly weight: number;
  readonly tenants = new Map<number, TenantAccount>();

  constructor(weight: number) {
    super();
    this.weight = weight;
  }
}

export class FairQueue {
  readonly #classes = new Map(priorities.map((priority) => [priority, new PriorityClass(weights[priority])]));
  #length = 0;

  get length(): number {
    return this.#length;
  }

  *[Symbol.iterator](): Iterator<Sequence> {
    for (const { tenants } of this.#classes.values()) for (const { waiting } of tenants.values()) yield* waiting;
  }

  /** Those that get their turn before a new one of the same tenant and class, about: its tenant's own, of each other tenant as many, because they take turns, and one more; all of more urgent classes. */
  *ahead({ tenant, priority }: Sequence): Iterable<Sequence> {
    for (const [other, { tenants }] of this.#classes) {
      const turns = (tenants.get(tenant)?.waiting.length ?? 0) + 1;
      for (const { waiting } of tenants.values()) yield* other === priority ? waiting.slice(0, turns) : waiting;
      if (other === priority) return;
    }
  }

  /** A new one, behind all others of its tenant. */
  add(sequence: Sequence): void {
    const priority = this.#classOf(sequence);
    let tenant = priority.tenants.get(sequence.tenant);
    if (tenant === undefined) priority.tenants.set(sequence.tenant, (tenant = new TenantAccount(sequence.tenant)));
    lift(priority, this.#classes.values());
    lift(tenant, priority.tenants.values());
    priority.present++;
    tenant.present++;
    tenant.waiting.push(sequence);
    this.#length++;
  }

  /** One that was admitted and has to wait again: before all others of its tenant. */
  putBack(sequence: Sequence): void {
    this.#accountOf(sequence).waiting.unshift(sequence);
    this.#length++;
  }

  /** The one whose turn it is, of those that are ready. It stays in the queue. */
  next(isReady: (sequence: Sequence) => boolean): Sequence | undefined {
    // Asked in every step; most have nobody waiting.
    if (this.#length === 0) return undefined;
    for (const { tenants } of inTurn(this.#classes.values())) {
      for (const { waiting } of inTurn(tenants.values())) {
        const ready = waiting.find(isReady);
        if (ready !== undefined) return ready;
      }
    }
    return undefined;
  }

  /** Whose place in a full queue a tenant may have: the last that came of the tenant with most places, if that one has at least two more. Who has begun keeps its place. */
  displaceable(tenant: number): Sequence | undefined {
    const places = new Map<number, Sequence[]>();
    for (const sequence of this) places.set(sequence.tenant, [...(places.get(sequence.tenant) ?? []), sequence]);
    const own = places.get(tenant)?.length ?? 0;
    const [most = []] = [...places.values()].sort((a, b) => b.length - a.length);
    return most.length >= own + 2 ? most.findLast(({ wasAdmitted }) => !wasAdmitted) : undefined;
  }

  /** It waits no longer. */
  remove(sequence: Sequence): boolean {
    const { waiting } = this.#accountOf(sequence);
    const index = waiting.indexOf(sequence);
    if (index < 0) return false;
    waiting.splice(index, 1);
    this.#length--;
    return true;
  }

  /** It was served so much. */
  charge(sequence: Sequence, service: number): void {
    const priority = this.#classOf(sequence);
    priority.service += service / priority.weight;
    this.#accountOf(sequence).service += service;
  }

  /** It has ended, and waits no longer. */
  leave(sequence: Sequence): void {
    const priority = this.#classOf(sequence);
    priority.present--;
    this.#accountOf(sequence).present--;
    // What somebody had counts against others who wait for theirs: those who have been overtaken, or have left nobody behind, owe
    // nothing. Else the next to come would start at nothing, and be served until it has made up for all that went before.
    for (const gone of settled(this.#classes.values())) gone.service = 0;
    for (const gone of settled(priority.tenants.values())) priority.tenants.delete(gone.tenant);
  }

  /** Tenants whose service is remembered, once a class: for those who check. */
  get tenantCount(): number {
    return [...this.#classes.values()].reduce((sum, { tenants }) => sum + tenants.size, 0);
  }

  #classOf({ priority }: Sequence): PriorityClass {
    const found = this.#classes.get(priority);
    if (found === undefined) throw new Error('no such class');
    return found;
  }

  #accountOf(sequence: Sequence): TenantAccount {
    const found = this.#classOf(sequence).tenants.get(sequence.tenant);
    if (found === undefined) throw new Error('the sequence is in no queue');
    return found;
  }
}

/** Those with least service first; equal ones stay in their order. */
function inTurn<T extends Account>(accounts: Iterable<T>): T[] {
  return [...accounts].sort((a, b) => a.service - b.service);
}

/** The least service among those that are present. */
function least(accounts: Iterable<Account>): number {
  let service = Number.POSITIVE_INFINITY;
  for (const account of accounts) if (account.present > 0) service = Math.min(service, account.service);
  return service;
}

/** Those that are away and have had no more than whoever is there. */
function settled<T extends Account>(accounts: Iterable<T>): T[] {
  const all = [...accounts];
  const service = least(all);
  return all.filter((account) => account.present === 0 && account.service <= service);
}

/** Who comes anew has saved nothing up while away. */
function lift(account: Account, all: Iterable<Account>): void {
  if (account.present > 0) return;
  const service = least(all);
  if (service !== Number.POSITIVE_INFINITY) account.service = Math.max(account.service, service);
}
