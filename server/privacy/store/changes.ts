/**
 * Owns the events of changes as they lie in rows until an audit log has them. Refuses what is no event of administration, and to
 * let more gather than a log that is alive would leave; never a change that closes something.
 */
import { type AdministrationEvent, checkEvent, EventError } from '../audit/events.ts';
import { canonicalize } from '../envelope.ts';
import { SiteError } from '../errors.ts';
import type { Change } from '../store.ts';
import type { Row } from './digest.ts';
import { type Fields, judge, placeSchema } from './rows.ts';

/** Events that may wait. */
const changeLimit = 100_000;
/** Taken beyond the limit: what closes something, which ends by itself when all is closed, and what puts a lost store back. */
const urgent: ReadonlySet<string> = new Set<AdministrationEvent['event']>([
  'agreement_revoked',
  'key_revoked',
  'person_revoked',
  'key_opened',
  'store_restored',
]);

/** Throws SiteError where an event is one too many. `count`: those that wait already. */
export function checkRoom({ event }: AdministrationEvent, count: number): void {
  if (count < changeLimit || urgent.has(event)) return;
  throw new SiteError(
    `${changeLimit} changes of this store are not in the audit trail yet, and only revocations are made: start the server, which writes them there (inward serve).`,
  );
}

export function toChangeFields({ place, event }: Change): Fields {
  return { place, event: canonicalize(judgeEvent(event)) };
}

export function fromChangeRow(row: Row): Change {
  const text = String(row['event']);
  const event = judgeEvent(JSON.parse(text));
  if (canonicalize(event) !== text) throw new SiteError('The change is not in its canonical form.');
  return { place: judge(placeSchema, row['place'], 'The change'), event };
}

/** One of the list, without the number that its place gives it. */
function judgeEvent(event: AdministrationEvent): AdministrationEvent {
  try {
    checkEvent(event);
  } catch (error) {
    throw error instanceof EventError ? new SiteError(`The change cannot be kept: ${error.message}`) : error;
  }
  if (!('at' in event) || event.change !== undefined) throw new SiteError('The change cannot be kept: expected an event of administration without a number.');
  return event;
}
