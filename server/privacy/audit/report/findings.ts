/**
 * Owns what a reviewer should look at, and why. Refuses to judge: a finding is a reason to ask, not a verdict.
 */
import type { AuditRecord } from '../events.ts';
import type { HabitCounter } from './habits.ts';

/** What stands out, as a sentence about its subject. */
export const findings = {
  'break-glass': 'was used to break the glass: see why, and seal a new one',
  'repeated-failures': 'failed to be let in ten times or more within an hour',
  'night-use': 'was used in one night, and otherwise by day',
  'new-key': 'was never used before in these records',
  crashed: 'ended with the process, without an answer',
  'not-stopped': 'started although it had not been stopped: it crashed or was killed',
  gap: 'lost what stood at its end',
  'trail-stopped': 'could not be written, so that requests were refused',
  'not-intact': 'was found altered',
  'not-zeroed': 'left memory that was not zeroed',
  'store-failed': 'could not be read or written',
  'clock-reset': 'was set back by hand: times before it may be wrong',
  'store-restored': 'was restored from a copy: changes may be gone',
  purged: 'was purged of old records',
} as const;
export type FindingName = keyof typeof findings;

export interface Finding {
  readonly finding: FindingName;
  /** A key, an address, or what of the system it is. */
  readonly subject: string;
  readonly count: number;
  /** Numbers of the first records, at most ten. */
  readonly seqs: readonly number[];
}

export const failuresPerHour = 10;
const seqCount = 10;

/** The finding that one record is, with its subject. */
function judgeRecord(record: AuditRecord): readonly [FindingName, string] | undefined {
  switch (record.event) {
    case 'break_glass':
    case 'key_opened':
      return ['break-glass', `key ${record.key}`];
    case 'outcome':
      return record.ending === 'crashed' ? ['crashed', 'requests'] : undefined;
    case 'gap':
      return [
        'gap',
        record.cause === 'torn' ? 'the trail (records that nobody had been answered for)' : 'the trail (its head: only a witness can tell whether it was cut)',
      ];
    case 'audit_stopped':
      return ['trail-stopped', `the trail (${record.cause})`];
    case 'audit_verified':
      return record.intact ? undefined : ['not-intact', 'the trail'];
    case 'model_unloaded':
      return record.zeroed ? undefined : ['not-zeroed', 'the model'];
    case 'store_unreadable':
    case 'store_unwritable':
      return ['store-failed', 'the store of the site'];
    case 'clock_reset':
      return ['clock-reset', 'the clock'];
    case 'store_restored':
      return ['store-restored', 'the store of the site'];
    case 'log_purged':
      return ['purged', 'the trail'];
    default:
      return undefined;
  }
}

export class FindingCounter {
  readonly #found = new Map<string, { finding: FindingName; subject: string; count: number; seqs: number[] }>();
  /** Kinds of process that run, by the records so far. */
  readonly #running = new Set<string>();

  add(record: AuditRecord, isCounted: boolean): void {
    const isAgain = record.event === 'started' && record.kind !== 'command' && this.#running.has(record.kind);
    if (record.event === 'started') this.#running.add(record.kind);
    else if (record.event === 'stopped') this.#running.delete(record.kind);
    if (!isCounted) return;
    if (isAgain) this.note('not-stopped', 'the server', [record.seq]);
    const [finding, subject = ''] = judgeRecord(record) ?? [];
    if (finding !== undefined) this.note(finding, subject, [record.seq]);
  }

  note(finding: FindingName, subject: string, seqs: readonly number[], count: number = seqs.length): void {
    const name = `${finding} ${subject}`;
    const found = this.#found.get(name) ?? { finding, subject, count: 0, seqs: [] };
    this.#found.set(name, found);
    found.count += count;
    found.seqs.push(...seqs.slice(0, seqCount - found.seqs.length));
  }

  noteHabits(habits: HabitCounter, hasHistory: boolean): void {
    for (const { key, seqs } of habits.listNights()) this.note('night-use', `key ${key}`, seqs);
    // Without earlier records every key is new.
    if (hasHistory) for (const { key, seq } of habits.newKeys) this.note('new-key', `key ${key}`, [seq]);
  }

  /** In the order of the table. */
  list(): Finding[] {
    const order = Object.keys(findings);
    return [...this.#found.values()].sort((one, other) => order.indexOf(one.finding) - order.indexOf(other.finding));
  }
}
