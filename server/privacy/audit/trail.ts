/**
 * Owns the audit trail of one process: the log that it writes, as the gate needs it. Refuses to take part in anything while records
 * cannot be made durable: whoever asks gets `audit_unavailable`, and what has happened is written when it can be.
 */
import { join } from 'node:path';
import { checkClock, type TrustedClock } from '../clock.ts';
import { Refusal, SiteError, type StopCause } from '../errors.ts';
import type { Store } from '../store.ts';
import type { AuditEvent, EventOf } from './events.ts';
import { auditFolder, logLimit } from './folder.ts';
import { AuditLog, type LogOptions, StoppedError } from './log.ts';
import { describeMachine } from './machine.ts';
import { nameChange } from './recovery.ts';
import { openWitness, type WitnessCode, type Witnessed, WitnessFollower } from './witness.ts';

/** What a start says about the process. */
export type ProcessFacts = Pick<EventOf<'started'>, 'kind' | 'version' | 'profile'>;

/** What the gate needs of a trail. */
export interface Trail extends AsyncDisposable {
  readonly facts: ProcessFacts;
  /** Of the settings at the last start. */
  readonly lastProfile: string | undefined;
  /** Why nothing can be recorded now; undefined: it can. */
  readonly fault: StopCause | undefined;
  /** Records that are durable, and the checkpoint over them as text. */
  readonly checkpoint: { readonly size: number; readonly note: string };
  /** Resolves when the record is durable. Throws Refusal (audit_unavailable) where that is not possible now; it is kept all the same. */
  record(event: AuditEvent): Promise<void>;
  /** The same for who does not wait. */
  note(event: AuditEvent): void;
  /** Whether a change of the store is a record already. */
  has(event: AuditEvent): boolean;
  setFault(cause: StopCause, isThere: boolean): void;
  /** Called when the trail stops, and when it goes on. */
  onState(listener: () => void): void;
  /** Records have the time of this clock from now on. */
  follow(clock: TrustedClock): void;
}

export interface TrailOptions extends Omit<LogOptions, 'now' | 'machine' | 'check'> {
  readonly facts: ProcessFacts;
  readonly wall?: () => number;
  /** Top of the file system that describes the host. */
  readonly root?: string | undefined;
  /** The clock of the site was put back by an administrator: records that are ahead of it are no reason to refuse. */
  readonly isClockReset?: boolean;
}

export interface WitnessOptions {
  /** Folder of the site. */
  readonly site: string;
  /** The destinations of the manifest that is in force. */
  readonly outbound: () => readonly string[];
  /** How far behind it may be before nothing is served; left out: as far as it likes. */
  readonly lagLimitMs?: number;
  /** Why it does not have the newest checkpoint; undefined: it has it again. */
  readonly onChange: (code: WitnessCode | undefined) => void;
}

/** Time that the witness gets at the end, in ms. */
const farewellMs = 2000;

export class AuditTrail implements Trail {
  readonly facts: ProcessFacts;
  readonly log: AuditLog;
  /** Changes of the store that this process has recorded. */
  readonly #changes = new Set<string>();
  readonly #time: { clock?: TrustedClock };
  #follower: WitnessFollower | undefined;
  /** What the witness has seen is not this log; and: it is late. */
  #isOther = false;
  #isLate = false;

  /** In the first log of the site that no other process writes. Throws SiteError. */
  static async open(site: string, options: TrailOptions): Promise<AuditTrail> {
    for (let number = 1; number <= logLimit; number++) {
      const trail = await AuditTrail.tryOpen(site, number, options);
      if (trail !== undefined) return trail;
    }
    throw new SiteError(`All ${logLimit} audit logs of this site are being written by other processes; end one of them.`);
  }

  /** In a log of the site; undefined where another process writes it. Throws SiteError. */
  static async tryOpen(site: string, number: number, options: TrailOptions): Promise<AuditTrail | undefined> {
    const { wall = Date.now } = options;
    const time: { clock?: TrustedClock } = {};
    const machine = describeMachine(options.root);
    const log = await AuditLog.open(join(site, auditFolder, String(number)), {
      ...options,
      machine,
      now: () => time.clock?.latest ?? wall(),
      check: (latest) => {
        if (options.isClockReset !== true) checkClock(wall(), latest);
      },
    });
    return log && new AuditTrail(log, options.facts, time);
  }

  private constructor(log: AuditLog, facts: ProcessFacts, time: { clock?: TrustedClock }) {
    this.log = log;
    this.facts = facts;
    this.#time = time;
  }

  get lastProfile(): string | undefined {
    return this.log.recovered.profile;
  }

  get fault(): StopCause | undefined {
    return this.log.fault;
  }

  get checkpoint(): { readonly size: number; readonly note: string } {
    return this.log.checkpoint;
  }

  async record(event: AuditEvent): Promise<void> {
    try {
      await this.log.append(event);
      if ('change' in event) this.#changes.add(nameChange({ ...event }));
    } catch (error) {
      throw error instanceof StoppedError ? new Refusal('audit_unavailable', { cause: error.cause }) : error;
    }
  }

  note(event: AuditEvent): void {
    this.record(event).catch((error: unknown) => {
      // Else it is kept, and the state of the log is told to who listens for it. What cannot become a record would be missing unseen.
      if (!(error instanceof Refusal)) this.setFault('program', true);
    });
  }

  has(event: AuditEvent): boolean {
    const name = nameChange({ ...event });
    return this.#changes.has(name) || this.log.recovered.changes.has(name);
  }

  setFault(cause: StopCause, isThere: boolean): void {
    this.log.setFault(cause, isThere);
  }

  onState(listener: () => void): void {
    this.log.onState(listener);
  }

  follow(clock: TrustedClock): void {
    this.#time.clock = clock;
  }

  /**
   * Gives the log's checkpoints to a second place from now on. A witness that has seen another log than this one stops the trail, and
   * so does one that is late where there is a limit. Throws SiteError where that is seen at once.
   */
  async addWitness(setting: string, { site, outbound, lagLimitMs, onChange }: WitnessOptions): Promise<void> {
    const witness = await openWitness(setting, outbound, { id: this.log.id, folder: join(site, auditFolder) });
    const seen = witness.lastSeen();
    if (seen !== undefined && seen.size > this.log.checkpoint.size) {
      await witness[Symbol.asyncDispose]();
      throw new SiteError(
        `The audit log in ${site} was set back: it ends with record ${this.log.checkpoint.size - 1}, and its witness has seen record ${seen.size - 1}. Keep both for whoever looks into that; move the log to another name, and a new one begins.`,
      );
    }
    this.#follower = new WitnessFollower(witness, {
      ...(lagLimitMs === undefined ? {} : { lagLimitMs }),
      onChange: (code) => {
        this.#isOther = code === 'rolled_back' || code === 'forked';
        this.#judgeWitness();
        onChange(code);
      },
      onLate: (isLate) => {
        this.#isLate = isLate;
        this.#judgeWitness();
      },
    });
    const offer = (checkpoint: Witnessed): void => this.#follower?.offer(checkpoint);
    this.log.onCheckpoint(offer);
    offer(this.log.checkpoint);
  }

  #judgeWitness(): void {
    this.log.setFault('witness', this.#isOther || this.#isLate);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.idle();
    await this.#follower?.flush(farewellMs);
    await this.#follower?.[Symbol.asyncDispose]();
    await this.log[Symbol.asyncDispose]();
  }
}

/** The trail of the site in a folder, whose changes are in this store. Throws SiteError. */
export async function openTrail(site: string, store: Pick<Store, 'listChanges'>, options: SiteTrailOptions): Promise<AuditTrail> {
  return AuditTrail.open(site, { ...options, isClockReset: await isClockReset(store) });
}

/** The same in the first log alone; undefined where another process writes it. Throws SiteError. */
export async function tryTrail(site: string, store: Pick<Store, 'listChanges'>, options: SiteTrailOptions): Promise<AuditTrail | undefined> {
  return AuditTrail.tryOpen(site, 1, { ...options, isClockReset: await isClockReset(store) });
}

type SiteTrailOptions = Omit<TrailOptions, 'isClockReset'>;

async function isClockReset(store: Pick<Store, 'listChanges'>): Promise<boolean> {
  return (await store.listChanges()).some(({ event }) => event.event === 'clock_reset');
}
