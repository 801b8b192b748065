/**
 * Owns what the trail can say about an incident: who asked in a window, how often, under which agreements, what was changed meanwhile, and
 * what is not known. Refuses to say what was asked: no record has it.
 */
import type { AuditRecord, EventOf } from './events.ts';
import { formatTime } from './export/fields.ts';
import { type Bounds, TokenSum } from './incident/tokens.ts';
import { type Unknown, UnknownCounter } from './incident/unknown.ts';
import type { Link, Entry as ProvedEntry } from './proof.ts';
import { type Entry, findSection, toEntry } from './report/sections.ts';
import { type Counts, findEnding, type Named, Tallies, type Tally, type Timed } from './report/tallies.ts';

/** Which requests are meant; what is left out does not matter. Times are milliseconds of the epoch, `to` not in the window. */
export interface IncidentFilter {
  readonly from: number;
  readonly to: number;
  readonly key?: string | undefined;
  /** As far as a person's own access was used; requests by key name nobody. */
  readonly person?: string | undefined;
  readonly tenant?: string | undefined;
  readonly address?: string | undefined;
  readonly host?: string | undefined;
}

type Subjects = readonly Timed<Named<Tally>>[];

/** Times are ISO 8601 in UTC. `requests` are all tries here, also those that were not let in. */
export interface Incident {
  readonly type: 'inward.audit.incident.v1';
  readonly window: { readonly from: string; readonly to: string };
  readonly filter: Omit<IncidentFilter, 'from' | 'to'>;
  readonly keys: Subjects;
  readonly people: Subjects;
  readonly addresses: Subjects;
  readonly hosts: Subjects;
  readonly tenants: Subjects;
  /** Under which requests were taken. */
  readonly agreements: Subjects;
  readonly purposes: Subjects;
  readonly promptTokens: Bounds;
  readonly completionTokens: Bounds;
  readonly breakGlass: readonly Entry[];
  /** Everything that a person did with commands in the window, whoever is meant. */
  readonly administration: readonly Entry[];
  readonly unknown: Unknown;
  /** Numbers of the records of the requests, in order. */
  readonly records: readonly number[];
  /** Of each record `record`, `index` and `path`: with `checkpoint` and `chain` a proof of docs/audit.md. Filled by who has the log. */
  readonly proofs: readonly ProvedEntry[];
  /** What they prove against, as text with its signature. */
  readonly checkpoint?: string;
  /** How its key follows from the first one: the same for all. */
  readonly chain?: readonly Link[];
}

/** The incident that the records of one log tell of, in their order; they begin before the window where possible. */
export function collectIncident(records: Iterable<AuditRecord>, filter: IncidentFilter): Incident {
  const { from, to, ...criteria } = filter;
  const requests = new Requests(filter);
  const unknown = new UnknownCounter(from, to);
  const [breakGlass, administration]: [Entry[], Entry[]] = [[], []];
  for (const record of records) {
    unknown.add(record);
    requests.add(record);
    if (record.time < from || record.time >= to) continue;
    if (findSection(record.event) === 'breakGlass' && requests.isMeant(record)) breakGlass.push(toEntry(record));
    if ('by' in record) administration.push(toEntry(record));
  }
  const { tallies } = requests;
  return {
    type: 'inward.audit.incident.v1',
    window: { from: formatTime(from), to: formatTime(to) },
    filter: criteria,
    ...{ keys: tallies.listTimed('key'), people: tallies.listTimed('person'), addresses: tallies.listTimed('address') },
    ...{ hosts: tallies.listTimed('host'), tenants: tallies.listTimed('tenant') },
    ...{ agreements: tallies.listTimed('agreement'), purposes: tallies.listTimed('purpose') },
    ...{ promptTokens: requests.prompt.bounds, completionTokens: requests.completion.bounds },
    breakGlass,
    administration,
    unknown: unknown.list(requests.crashed, requests.open),
    records: [...new Set([...requests.seqs, ...breakGlass.map(({ seq }) => seq)])].sort((one, other) => one - other),
    proofs: [],
  };
}

type What = 'key' | 'person' | 'address' | 'host' | 'tenant' | 'agreement' | 'purpose';

/** The requests that are meant. One that began before the window counts when it ended in it. */
class Requests {
  readonly tallies = new Tallies<What>();
  readonly prompt = new TokenSum();
  readonly completion = new TokenSum();
  readonly seqs: number[] = [];
  crashed = 0;
  readonly #filter: IncidentFilter;
  /** Begun and not ended; without counts as long as they lie before the window. */
  readonly #begun = new Map<string, { readonly intent: EventOf<'intent'> & AuditRecord; readonly counts: readonly Counts[] | undefined }>();

  constructor(filter: IncidentFilter) {
    this.#filter = filter;
  }

  /** Begun in the window, and no outcome is among the records. */
  get open(): number {
    return [...this.#begun.values()].filter(({ counts }) => counts !== undefined).length;
  }

  isMeant(record: AuditRecord): boolean {
    const values = record as unknown as Readonly<Record<string, unknown>>;
    const { from: _, to: __, ...criteria } = this.#filter;
    return Object.entries(criteria).every(([name, value]) => value === undefined || values[name] === value);
  }

  add(record: AuditRecord): void {
    const { time } = record;
    const isInside = this.#filter.from <= time && time < this.#filter.to;
    if (record.event === 'outcome') this.#end(record, isInside);
    else if (record.event === 'intent' && time < this.#filter.to && this.isMeant(record)) {
      this.#begun.set(record.request, { intent: record, counts: isInside ? this.#begin(record) : undefined });
    } else if ((record.event === 'denied' || record.event === 'auth_failed') && isInside && this.isMeant(record)) {
      this.tallies.end(this.#begin(record), 'refused', time);
    }
  }

  #begin(record: EventOf<'intent' | 'denied' | 'auth_failed'> & AuditRecord): readonly Counts[] {
    const { key, address, host, seq, time } = record;
    const names = record.event === 'intent' ? { tenant: record.tenant, agreement: record.agreement, purpose: record.purpose } : { person: record.person };
    this.seqs.push(seq);
    return this.tallies.begin({ key, address, host, ...names }, time);
  }

  #end(record: EventOf<'outcome'> & AuditRecord, isInside: boolean): void {
    const begun = this.#begun.get(record.request);
    this.#begun.delete(record.request);
    if (begun === undefined || (begun.counts === undefined && !isInside)) return;
    this.tallies.end(begun.counts ?? this.#begin(begun.intent), findEnding(record), record.time);
    this.seqs.push(record.seq);
    this.prompt.add(record.promptTokens);
    this.completion.add(record.completionTokens);
    if (record.ending === 'crashed') this.crashed++;
  }
}
