/**
 * Owns the gate: every request passes here, and what runs is cut here when its agreement or its key ends. Decisions are made in
 * memory from the last snapshot; a write to the store, by whichever process, is seen by the next request. Refuses everything
 * while the store cannot be read, holds a record that does not verify, or what happens cannot be recorded (audit/).
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ErrorCode } from '../../runtime/index.ts';
import {
  type Attempt,
  type Caller,
  checkAgreement,
  checkRoute,
  checkTime,
  demandAgreement,
  expiryGraceMs,
  findAgreement,
  findBySecret,
  type Holder,
  type Proof,
  type RouteRule,
  readBearer,
  type Terms,
} from './admission.ts';
import { recordChanges } from './audit/changes.ts';
import { Course, type Told } from './audit/course.ts';
import { describeBreakGlass, describeIntent, describeRefusal } from './audit/describe.ts';
import type { AuditEvent, EndingName } from './audit/events.ts';
import { openTrail, type ProcessFacts, type Trail } from './audit/trail.ts';
import { checkClock, TrustedClock } from './clock.ts';
import type { Counts } from './deid/categories.ts';
import { Refusal, type RefusalCode, SiteError, type StopCause } from './errors.ts';
import { storeFile } from './folder.ts';
import type { AccessKey } from './grants.ts';
import { type Account, type Allowance, dayOf, Quotas } from './quota.ts';
import { openStore } from './store/sqlite.ts';
import type { Store } from './store.ts';
import { daysLeft, findWarning, stateOf, type Term } from './term.ts';
import type { TokenVerifier } from './tokens/tokens.ts';
import { createView, type View } from './view.ts';
import type { AnswerShape, DeidMode, PriorityClass, Purpose } from './words.ts';

/** How a gate is opened. */
export interface GateOptions {
  /** The server can be reached from this machine only. */
  readonly isLocal: boolean;
  /** What happens is recorded there; the gate closes it. */
  readonly trail: Trail;
  /** For tokens of an identity provider. */
  readonly tokens?: TokenVerifier | undefined;
  readonly wall?: () => number;
  readonly monotonic?: () => number;
  /** How often the store is looked at while no request comes, in ms. */
  readonly pollMs?: number;
}

/** What happens at the gate that somebody should see. */
export type GateEvent =
  | { readonly event: 'break_glass'; readonly keyId: string }
  | { readonly event: 'agreement_ending'; readonly agreementId: string; readonly days: number }
  /** By time, or because the one that supersedes it has begun. */
  | { readonly event: 'agreement_ended'; readonly agreementId: string; readonly state: 'expired' | 'superseded' }
  | { readonly event: 'gate_opened' | 'gate_closed' }
  /** No agreement covers this tenant any more, and nothing of it runs: what is kept of it must go. */
  | { readonly event: 'tenant_closed'; readonly tenant: number }
  /** Another manifest, or PHI where there was synthetic data: what is loaded was not held against this. */
  | { readonly event: 'deployment_changed' }
  /** `code`: it is not the store's fault but ours. */
  | { readonly event: 'store_unreadable'; readonly code?: 'internal' }
  /** Counts of tokens and the time are written later. */
  | { readonly event: 'store_unwritable' }
  | { readonly event: 'clock_untrusted' }
  /** Nothing is served until it can be recorded again. */
  | { readonly event: 'audit_stopped'; readonly cause: StopCause }
  | { readonly event: 'audit_resumed' };

/** A request that was let in. Ends once, when its answer has. */
export interface Admission {
  readonly holder: Holder;
  /** Aborted with a Refusal when the agreement or the key ends. */
  readonly signal: AbortSignal;
  /** Undefined where the route needs no agreement. */
  readonly granted: Grant | undefined;
  /** The answer has ended, or will never begin. */
  end(told?: Told): void;
}

/** What an inference request may do. */
export interface Grant {
  readonly tenant: number;
  readonly agreementId: string;
  readonly purpose: Purpose | 'emergency';
  /** The most urgent class that it gets. */
  readonly priority: PriorityClass;
  readonly shape: AnswerShape;
  /** What is done with identifiers in it. */
  readonly deid: DeidMode;
  readonly isBreakGlass: boolean;
  /** Throws Refusal. */
  checkModel(name: string): void;
  /**
   * Reserves the tokens that the request may use; who does must settle, also where the answer fails. Once. Resolves when it is on
   * record that the request is there: nothing of it may be computed before. Throws Refusal.
   */
  begin(tokens: number): Promise<void>;
  /** What it has used in the end, and how that was. */
  settle(use: Use): void;
  /** What is left of the quotas that it counts for; undefined where there are none. */
  readAllowance(): Allowance | undefined;
}

/** What an answer has come to. */
export interface Use {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Tokens of the prompt that were in the tenant's cache. */
  readonly cachedTokens?: number;
  /** Identifiers that were found in the request, by category; undefined where nothing was looked for. */
  readonly found?: Counts | undefined;
  readonly ending: EndingName;
  /** What it was ended by. */
  readonly refusal?: RefusalCode | undefined;
  readonly error?: ErrorCode | undefined;
}

interface Running {
  readonly holder: Holder;
  readonly tenant: number | undefined;
  readonly agreementId: string | undefined;
  readonly stop: AbortController;
  /** Undefined where nothing is computed, and so nothing recorded. */
  readonly course: Course | undefined;
}

/** Under what a request is let in. */
interface Entry extends Terms {
  readonly key: AccessKey;
  readonly attempt: Attempt;
  readonly course?: Course;
}

const standardPollMs = 250;
/** Days before the end of a synthetic agreement from which on it is told. */
const evaluationWarning = 7;
const saveMs = 5000;
/** So much can a clock be turned back between two starts without anybody noticing, in ms. */
const keepClockMs = 60_000;

/** The gate of the site in a folder (`findSiteFolder`), with its audit trail. Throws SiteError where there is none, or where it cannot be trusted. */
export async function openGate(folder: string, { facts, ...options }: Omit<GateOptions, 'trail'> & { readonly facts: ProcessFacts }): Promise<Gate> {
  await using stack = new AsyncDisposableStack();
  const store = stack.use(await openStore(join(folder, storeFile)));
  const trail = stack.use(await openTrail(folder, store, { facts }));
  const gate = await Gate.open(store, { ...options, trail });
  stack.move();
  return gate;
}

/** Decides who is let in, and cuts what runs when its agreement or key ends. `Gate.open` or `openGate` makes one; disposing it closes its store and its trail. */
export class Gate implements AsyncDisposable {
  readonly #store: Store;
  readonly #trail: Trail;
  readonly #options: GateOptions;
  readonly #clock: TrustedClock;
  readonly #quotas: Quotas;
  readonly #running = new Set<Running>();
  readonly #listeners = new Set<(event: GateEvent) => void>();
  readonly #refusals = new Map<RefusalCode, number>();
  #view: View | undefined;
  /** Of the store when it was read last; undefined: it must be read before anything is decided. */
  #version: number | undefined;
  #reading: Promise<void> | undefined;
  /** Changes of the store are on their way to the trail. */
  #recording: Promise<void> | undefined;
  /** Of the store whose changes are all in the trail. */
  #recorded: number | undefined;
  #isOpen = false;
  /** What a model that is loaded now is held against. */
  #basis = '';
  #isClosed = false;
  /** Tenants of which something may run or be kept. */
  #covered: ReadonlySet<number> = new Set();
  #isClockTrusted = true;
  #warned = new Map<string, number>();
  /** Agreements, at the last look. */
  readonly #inForce = new Set<string>();
  #savedAt = 0;
  /** As the store has it. */
  #keptClock: number;
  #breakGlassUses = 0;
  readonly #timer: NodeJS.Timeout;

  /** Throws SiteError where the store cannot be read, holds what does not verify, or the clock is behind it. */
  static async open(store: Store, options: GateOptions): Promise<Gate> {
    const version = store.version();
    const snapshot = await store.load();
    const now = (options.wall ?? Date.now)();
    checkClock(now, snapshot.clock);
    const view = createView(snapshot);
    const gate = new Gate(store, options, view, version, new Quotas(now, await store.readUsage(dayOf(now))));
    try {
      await gate.#begin();
      return gate;
    } catch (error) {
      clearInterval(gate.#timer);
      if (!(error instanceof Refusal)) throw error;
      throw new SiteError('The audit trail cannot be written, so that nothing can be served: make room on its disk, or see to the disk.');
    }
  }

  private constructor(store: Store, options: GateOptions, view: View, version: number, quotas: Quotas) {
    this.#store = store;
    this.#options = options;
    this.#view = view;
    this.#version = version;
    this.#quotas = quotas;
    this.#keptClock = view.snapshot.clock;
    this.#clock = new TrustedClock(view.snapshot.clock, options.wall, options.monotonic);
    this.#trail = options.trail;
    this.#trail.follow(this.#clock);
    this.#trail.onState(() => this.#followTrail());
    this.#isOpen = this.#canServe();
    this.#basis = this.#readBasis();
    this.#timer = setInterval(() => void this.#look(), options.pollMs ?? standardPollMs);
    this.#timer.unref();
  }

  /** Whether an agreement is in force for anybody. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Answers that were let in and have not ended. */
  get running(): number {
    return this.#running.size;
  }

  /** The last snapshot that was good; undefined once the store has become unreadable. */
  get view(): View | undefined {
    return this.#view;
  }

  /** Undefined while the clock cannot be trusted. */
  now(): number | undefined {
    return this.#clock.read();
  }

  /** The agreement in force; where departments have their own, the first. */
  get agreement(): Term | undefined {
    return this.#findAgreement(this.now());
  }

  #findAgreement(now: number | undefined, tenant?: string): Term | undefined {
    return this.#view === undefined || now === undefined ? undefined : findAgreement(this.#view, now, this.#options.isLocal, tenant);
  }

  /** For metrics. */
  get counts(): { readonly refusals: ReadonlyMap<RefusalCode, number>; readonly breakGlassUses: number } {
    return { refusals: this.#refusals, breakGlassUses: this.#breakGlassUses };
  }

  /** Called with what happens. */
  onEvent(listener: (event: GateEvent) => void): void {
    this.#listeners.add(listener);
  }

  /** The audit trail: why nothing can be recorded, and so nothing be served; what it has. */
  get audit(): Pick<Trail, 'fault' | 'checkpoint'> {
    return this.#trail;
  }

  /** Puts on record what others do with what the gate guards. */
  note(event: AuditEvent): void {
    this.#trail.note(event);
  }

  /** On record: what process this is, and what has been changed since the last one. */
  async #begin(): Promise<void> {
    const { facts, lastProfile: before } = this.#trail;
    const kind = this.agreement?.agreement.kind;
    const records: AuditEvent[] = [{ event: 'started', mode: kind === undefined ? 'closed' : kind === 'synthetic' ? 'evaluation' : 'phi', ...facts }];
    if (before !== undefined && before !== facts.profile) records.push({ event: 'config_changed', profile: facts.profile, before });
    await Promise.all(records.map((record) => this.#trail.record(record)));
    await this.#recordChanges();
  }

  /** Lets a request in. Throws Refusal, which is on record then. */
  async admit(rule: RouteRule, caller: Caller): Promise<Admission> {
    const attempt: Attempt = { caller };
    try {
      return await this.#admit(rule, attempt);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refusals.set(error.code, (this.#refusals.get(error.code) ?? 0) + 1);
      if (error.code !== 'audit_unavailable') await this.#trail.record(describeRefusal(error, attempt));
      throw error;
    }
  }

  async #admit(rule: RouteRule, attempt: Attempt): Promise<Admission> {
    const { caller } = attempt;
    await this.#refresh();
    const [view, now] = [this.#view, this.now()];
    this.#trail.setFault('clock', now === undefined);
    const { fault: cause } = this.#trail;
    if (now === undefined || cause !== undefined) throw new Refusal('audit_unavailable', { cause: cause ?? 'clock' });
    if (view === undefined) throw new Refusal('agreement_missing');
    // Before the key: a closed gate is closed to everybody.
    if (rule.isInference) demandAgreement(view, now, this.#options.isLocal);
    const { holder, ...proof } = await this.#identify(view, caller);
    attempt.proof = proof;
    checkTime(holder, now);
    checkRoute(view, holder, rule, caller, now);
    if (holder.type === 'key' && holder.key.isSealed) this.#announce(holder.key, caller);
    if (!rule.isInference || holder.type === 'person') return this.#enter(holder);
    const { key } = holder;
    const terms = checkAgreement(view, key, caller, now, this.#options.isLocal);
    if (key.isSealed) await this.#breakGlass(key, now);
    const entry = { ...terms, key, attempt };
    if (rule.isDry) return this.#enter(holder, entry);
    const { request = randomUUID() } = caller;
    return this.#enter(holder, { ...entry, course: new Course(this.#trail, describeIntent(request, key, terms, attempt, view)) });
  }

  async #identify(view: View, { authorization, fingerprint }: Caller): Promise<Proof & { readonly holder: Holder }> {
    const bearer = readBearer(authorization);
    if (bearer?.startsWith('inw_')) return { holder: findBySecret(view, bearer), known: 'secret' };
    if (authorization !== undefined) {
      if (bearer === undefined || this.#options.tokens === undefined) throw new Refusal('key_invalid');
      const { issuer, subject, id: token } = await this.#options.tokens.verify(bearer);
      const found = view.findHolder({ type: 'token', issuer, subject });
      if (found === undefined) throw new Refusal('token_invalid');
      return { holder: toHolder(found), known: 'token', token };
    }
    const found = fingerprint === undefined ? undefined : view.findHolder({ type: 'certificate', fingerprint });
    if (found === undefined) throw new Refusal('key_missing');
    return { holder: toHolder(found), known: 'certificate' };
  }

  async #breakGlass(key: AccessKey, now: number): Promise<void> {
    if (key.openedAt === undefined) checkTime({ type: 'key', key: { ...key, openedAt: await this.#store.openKey(key.id, now) } }, now);
  }

  /** Each use, also one that is only a try. */
  #announce({ id }: AccessKey, caller: Caller): void {
    this.#breakGlassUses++;
    this.#trail.note(describeBreakGlass(id, caller));
    this.#emit({ event: 'break_glass', keyId: id });
  }

  #enter(holder: Holder, entry?: Entry): Admission {
    const running: Running = {
      holder,
      tenant: entry?.tenant.number,
      agreementId: entry?.agreement.agreement.id,
      stop: new AbortController(),
      course: entry?.course,
    };
    this.#running.add(running);
    return {
      holder,
      signal: running.stop.signal,
      granted: entry && this.#grant(entry),
      end: (told = {}) => {
        if (!this.#running.delete(running)) return;
        running.course?.end(told);
        this.#follow();
      },
    };
  }

  #grant({ key, agreement, tenant, purpose, attempt, course }: Entry): Grant {
    let reservation: { settle(tokens: number): void } | undefined;
    const accounts: Account[] = key.isSealed
      ? []
      : [
          { scope: 'key', id: key.id, limits: key.scopes },
          { scope: 'tenant', id: tenant.code, limits: tenant },
        ];
    return {
      tenant: tenant.number,
      agreementId: agreement.agreement.id,
      purpose,
      priority: key.scopes.priority,
      shape: key.scopes.shape ?? 'plain',
      deid: purpose === 'emergency' ? 'off' : (key.scopes.deid?.[purpose] ?? 'off'),
      isBreakGlass: key.isSealed,
      checkModel: (name) => {
        if (key.scopes.models.length === 0 || key.scopes.models.includes(name)) return;
        const refusal = new Refusal('model_denied', { key: key.id });
        // Where there is an outcome, that has it.
        if (course === undefined) this.#trail.note(describeRefusal(refusal, attempt));
        throw refusal;
      },
      begin: async (tokens) => {
        reservation = this.#quotas.reserve(accounts, tokens, this.#clock.latest);
        await course?.begin();
      },
      settle: (used) => {
        reservation?.settle(used.promptTokens + used.completionTokens);
        course?.settle(used);
      },
      readAllowance: () => this.#quotas.read(accounts, this.#clock.latest),
    };
  }

  /** Reads the store anew if anybody has written to it. */
  async #refresh(): Promise<void> {
    if (this.#isClosed) return;
    try {
      while (this.#reading !== undefined || this.#store.version() !== this.#version) await (this.#reading ??= this.#read());
    } catch (error) {
      this.#lose(error);
    }
  }

  async #read(): Promise<void> {
    try {
      const version = this.#store.version();
      const snapshot = await this.#store.load();
      const view = createView(snapshot);
      this.#clock.follow(snapshot.clock);
      this.#keptClock = snapshot.clock;
      this.#view = view;
      this.#version = version;
      this.#follow();
      void this.#recordChanges();
    } finally {
      this.#reading = undefined;
    }
  }

  /** What cannot be read may hold a revocation: nothing is decided from what was read before. */
  #lose(error: unknown): void {
    if (this.#view !== undefined) this.#emit({ event: 'store_unreadable', ...(error instanceof SiteError ? {} : { code: 'internal' as const }) });
    this.#view = undefined;
    this.#version = undefined;
    this.#follow();
  }

  /** What comes with time or from other processes. */
  async #look(): Promise<void> {
    await this.#refresh();
    if (this.#isClosed) return;
    const isTrusted = this.now() !== undefined;
    if (this.#isClockTrusted && !isTrusted) this.#emit({ event: 'clock_untrusted' });
    this.#isClockTrusted = isTrusted;
    this.#trail.setFault('clock', !isTrusted);
    void this.#recordChanges();
    this.#follow();
    this.#warn();
    if (performance.now() - this.#savedAt > saveMs) await this.#save();
  }

  /** What commands have changed in the store goes to the audit trail, and from the store once it is durable there. */
  #recordChanges(): Promise<void> {
    return (this.#recording ??= this.#moveChanges().finally(() => {
      this.#recording = undefined;
    }));
  }

  async #moveChanges(): Promise<void> {
    const version = this.#version;
    // To look for changes is to read the whole store; each of them makes it another version.
    if (this.#trail.fault !== undefined || this.#isClosed || (version !== undefined && version === this.#recorded)) return;
    try {
      await recordChanges(this.#trail, this.#store);
      this.#recorded = version;
    } catch {
      // They stay where they are, and are tried again at the next look; a store that cannot be written is told by what is saved.
    }
  }

  #followTrail(): void {
    const { fault: cause } = this.#trail;
    this.#emit(cause === undefined ? { event: 'audit_resumed' } : { event: 'audit_stopped', cause });
    this.#follow();
  }

  /** Cuts what may no longer run, and tells when the gate opens or closes. */
  #follow(): void {
    for (const running of this.#running) {
      const reason = this.#findEnd(running);
      if (reason !== undefined && !running.stop.signal.aborted) running.stop.abort(reason);
    }
    this.#followTenants();
    const [wasOpen, basis] = [this.#isOpen, this.#basis];
    this.#isOpen = this.#canServe();
    this.#basis = this.#readBasis();
    if (this.#basis !== basis) this.#emit({ event: 'deployment_changed' });
    if (this.#isOpen !== wasOpen) this.#emit({ event: this.#isOpen ? 'gate_opened' : 'gate_closed' });
  }

  /** Without an agreement nothing is loaded, and the last basis stays. */
  #readBasis(): string {
    const term = this.#findAgreement(this.#time());
    return term === undefined ? this.#basis : `${this.#view?.manifest?.hash} ${term.agreement.kind === 'synthetic'}`;
  }

  /** A clock that cannot be trusted for a while is no reason to unload a model. */
  #time(): number {
    return this.now() ?? this.#clock.latest;
  }

  #followTenants(): void {
    const now = this.#time();
    const running = new Set([...this.#running].map(({ tenant }) => tenant));
    const covered = new Set<number>();
    for (const { code, number } of this.#view?.snapshot.tenants ?? []) {
      if (running.has(number) || this.#findAgreement(now, code) !== undefined) covered.add(number);
    }
    for (const tenant of this.#covered) if (!covered.has(tenant)) this.#emit({ event: 'tenant_closed', tenant });
    this.#covered = covered;
  }

  #canServe(): boolean {
    const isAgreed = this.#findAgreement(this.#time()) !== undefined;
    return isAgreed || [...this.#running].some(({ agreementId, stop }) => agreementId !== undefined && !stop.signal.aborted);
  }

  /** Why an answer must not go on; undefined: it may. */
  #findEnd({ holder, agreementId }: Running): Refusal | undefined {
    const view = this.#view;
    if (view === undefined) return new Refusal('agreement_missing');
    const now = this.#clock.latest;
    const fresh = holder.type === 'key' ? view.keys.get(holder.key.id) : view.people.get(holder.person.id);
    if (fresh === undefined) return new Refusal('key_invalid');
    try {
      checkTime(toHolder(fresh), now);
    } catch (error) {
      return error as Refusal;
    }
    if (agreementId === undefined) return undefined;
    const { fault: cause } = this.#trail;
    if (cause !== undefined) return new Refusal('audit_unavailable', { cause });
    const term = view.agreements.find(({ agreement }) => agreement.id === agreementId);
    const fields = { agreement: agreementId };
    if (term === undefined) return new Refusal('agreement_missing');
    if (term.stored.revokedAt !== undefined) return new Refusal('agreement_revoked', fields);
    return term.end + expiryGraceMs <= now ? new Refusal('agreement_expired', fields) : undefined;
  }

  /** Once for each of the warning days, and once at the end. */
  #warn(): void {
    const [view, now] = [this.#view, this.now()];
    if (view === undefined || now === undefined) return;
    for (const { agreement, stored, end } of view.agreements) {
      const state = stateOf(agreement, stored, now, end);
      const wasInForce = this.#inForce.delete(agreement.id);
      if (wasInForce && (state === 'expired' || state === 'superseded')) this.#emit({ event: 'agreement_ended', agreementId: agreement.id, state });
      if (state !== 'in-force') continue;
      this.#inForce.add(agreement.id);
      const days = daysLeft(agreement, now, end);
      const step = findWarning(days);
      // An evaluation is never longer than the first warning.
      if (step === undefined || (agreement.kind === 'synthetic' && step > evaluationWarning)) continue;
      if (this.#warned.get(agreement.id) === step) continue;
      this.#warned.set(agreement.id, step);
      this.#emit({ event: 'agreement_ending', agreementId: agreement.id, days });
    }
  }

  /** What cannot be written now (another command may be at it) is kept, and written later. */
  async #save(): Promise<void> {
    this.#savedAt = performance.now();
    const day = this.#quotas.day;
    const used = this.#quotas.take();
    try {
      if (used.length > 0) await this.#store.addUsage(day, used);
    } catch {
      this.#quotas.keep(used);
      this.#emit({ event: 'store_unwritable' });
      return;
    }
    if (!this.#isClockTrusted || this.#clock.latest - this.#keptClock < keepClockMs) return;
    try {
      await this.#store.keepClock(this.#clock.latest);
      this.#keptClock = this.#clock.latest;
    } catch {
      this.#emit({ event: 'store_unwritable' });
    }
  }

  #emit(event: GateEvent): void {
    const record = this.#describe(event);
    if (record !== undefined) this.#trail.note(record);
    for (const listener of this.#listeners) listener(event);
  }

  /** As the trail has it; what others record already is left out. */
  #describe(event: GateEvent): AuditEvent | undefined {
    switch (event.event) {
      case 'gate_opened':
        return { event: 'gate_opened', agreement: this.agreement?.agreement.id };
      case 'gate_closed':
      case 'store_unreadable':
      case 'store_unwritable':
        return { event: event.event };
      case 'deployment_changed':
        return { event: 'deployment_changed', manifest: this.#view?.manifest?.hash };
      case 'agreement_ended':
        return { event: 'agreement_ended', agreement: event.agreementId, state: event.state };
      case 'agreement_ending':
        return { event: 'agreement_ending', agreement: event.agreementId, days: event.days };
      case 'tenant_closed': {
        const code = this.#view?.snapshot.tenants.find(({ number }) => number === event.tenant)?.code;
        return code === undefined ? undefined : { event: 'tenant_closed', tenant: code };
      }
      default:
        return undefined;
    }
  }

  /** Ends what runs, as if its agreement had ended. */
  cut(): void {
    for (const { stop } of this.#running) stop.abort(new Refusal('agreement_missing'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    clearInterval(this.#timer);
    this.#isClosed = true;
    this.#options.tokens?.[Symbol.dispose]();
    this.cut();
    for (const { course } of this.#running) course?.conclude();
    // Nobody is let in by what was read last.
    this.#view = undefined;
    await this.#save();
    await this.#recording;
    this.#trail.note({ event: 'stopped', kind: this.#trail.facts.kind });
    await this.#trail[Symbol.asyncDispose]();
    await this.#store[Symbol.asyncDispose]();
  }
}

function toHolder(found: AccessKey | { readonly roles: readonly unknown[] }): Holder {
  return 'roles' in found ? { type: 'person', person: found as Extract<Holder, { type: 'person' }>['person'] } : { type: 'key', key: found };
}
