/**
 * Owns what `inward agreement new` asks for: a row for each field with its option, its question and what silence means. What
 * an answer must be is not said here but by the record's own schema and rules.
 */
import { createHash, randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import {
  type AgreementField,
  type AgreementKind,
  agreementKinds,
  associateRoles,
  clauses,
  expectedFields,
  fitsField,
  terminations,
} from '../../privacy/agreement.ts';
import { readSmallFile } from '../../privacy/files.ts';
import { forms, purposes } from '../../privacy/words.ts';
import type { World } from '../../world.ts';

export type Draft = { [name in AgreementField]?: unknown };

/** One part of a party or a person. */
export interface Part {
  readonly key: string;
  readonly label: string;
  readonly expected: string;
  readonly choices?: readonly string[];
  readonly standard?: () => string;
  fits(text: string): boolean;
}

export interface Field {
  readonly name: AgreementField;
  /** `--regions <list>` */
  readonly flags: string;
  readonly help: string;
  /** The question. */
  readonly label: string;
  /** Where it is not what the schema says. */
  readonly expected?: string;
  /** Kinds that have it to say; the record of another kind has `blank`. */
  readonly kinds: readonly AgreementKind[];
  readonly blank?: unknown;
  /** Whether there is a question, besides that of the kind. */
  isOpen?(draft: Draft): boolean;
  /** Text that silence stands for. */
  standard?(draft: Draft): string | undefined;
  /** Silence counts only where the standard was seen, on a terminal. */
  readonly isExplicit?: boolean;
  /** A closed list, of which an answer has one. */
  readonly choices?: readonly string[];
  /** Or several. */
  readonly isList?: boolean;
  /** An answer has these, and an option has `;` between them. */
  readonly parts?: readonly Part[];
  /** Each answer or option adds one; at least so many. */
  least?(draft: Draft): number;
  /** What other text stands for; the schema judges it. */
  read?(text: string, world: World): unknown;
}

const dayMs = 86_400_000;
const documentLimit = 2 ** 26;
const every = agreementKinds;
const real: readonly AgreementKind[] = ['self-operated', 'baa'];
const realPurposes = purposes.filter((purpose) => purpose !== 'evaluation');

const formatTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
const today = (): string => formatTime(Date.now()).slice(0, 10);
/** A date alone is its first moment in UTC. */
const readTime = (text: string): string => (/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
const readCodes = (text: string): string[] => (text === 'all' || text === 'none' ? [] : text.split(/[\s,]+/).filter(Boolean));

function hashDocument(path: string): string {
  return createHash('sha256').update(readSmallFile(path, documentLimit)).digest('hex');
}

function nextYear({ effective }: Draft): string {
  const date = new Date(String(effective));
  date.setUTCFullYear(date.getUTCFullYear() + 1);
  return formatTime(date.getTime());
}

function nextMonth({ effective }: Draft): string {
  return formatTime(Date.parse(String(effective)) + 30 * dayMs);
}

function namePart(key: string, label: string): Part {
  return { key, label, expected: 'at most 120 letters, digits and plain punctuation', fits: (text) => forms.name.test(text) };
}

const party: readonly Part[] = [namePart('name', 'legal name'), namePart('id', 'tax or registry id')];
const role: Part = {
  key: 'role',
  label: 'role',
  expected: `one of ${associateRoles.join(', ')}`,
  choices: associateRoles,
  fits: (text) => associateRoles.some((known) => known === text),
};
const contract: Part = { key: 'agreement', label: 'id of its own agreement', expected: expectedFields.id, fits: (text) => fitsField('id', text) };
const signing: Part = { key: 'date', label: 'date', expected: expectedFields.review, standard: today, fits: (text) => fitsField('review', text) };

export const fields: readonly Field[] = [
  { name: 'kind', flags: '--kind <kind>', help: 'self-operated, baa or synthetic', label: 'Kind', kinds: every, choices: agreementKinds },
  {
    name: 'id',
    flags: '--id <id>',
    help: 'id of the record (default: a random one)',
    label: 'Id of the record',
    kinds: every,
    standard: () => `agr-${randomBytes(6).toString('hex')}`,
  },
  { name: 'coveredEntity', flags: '--entity <name; id>', help: 'the covered entity', label: 'Covered entity', kinds: every, parts: party },
  {
    name: 'associates',
    flags: '--associate <name; id; role>',
    help: `a business associate and its role, of ${associateRoles.join(', ')}; one option for each`,
    label: 'Business associate',
    kinds: ['baa'],
    blank: [],
    parts: [...party, role],
    least: () => 1,
  },
  {
    name: 'subcontractors',
    flags: '--subcontractor <name; id; agreement>',
    help: 'a subcontractor and the id of its own agreement; one option for each (default: none)',
    label: 'Subcontractor',
    kinds: ['baa'],
    blank: [],
    parts: [...party, contract],
    least: () => 0,
  },
  {
    name: 'signatories',
    flags: '--signatory <name; title; date>',
    help: 'who signed the document, and when; one option for each',
    label: 'Signatory',
    kinds: real,
    blank: [],
    parts: [namePart('name', 'name'), namePart('title', 'title'), signing],
    least: ({ kind }) => (kind === 'baa' ? 2 : 1),
  },
  {
    name: 'effective',
    flags: '--effective <time>',
    help: 'in force from this time of UTC, as 2026-11-24 or 2026-11-24T06:00:00Z (default: today, of a synthetic one now)',
    label: 'In force from (UTC)',
    kinds: every,
    standard: ({ kind }) => (kind === 'synthetic' ? formatTime(Date.now()) : today()),
    read: readTime,
  },
  {
    name: 'expires',
    flags: '--expires <time>',
    help: 'until this time, itself excluded (default of a synthetic one: 30 days later, which is the most)',
    label: 'Until (UTC), or evergreen',
    expected: `${expectedFields.expires}, or evergreen`,
    kinds: every,
    isOpen: ({ review }) => review === undefined,
    isExplicit: true,
    standard: (draft) => (draft.kind === 'synthetic' ? nextMonth(draft) : nextYear(draft)),
    read: (text) => (text === 'evergreen' ? undefined : readTime(text)),
  },
  {
    name: 'review',
    flags: '--review <date>',
    help: 'in place of --expires: evergreen, until the end of this day of review',
    label: 'Day of review',
    kinds: every,
    isOpen: ({ expires }) => expires === undefined,
    standard: (draft) => nextYear(draft).slice(0, 10),
  },
  {
    name: 'documentSha256',
    flags: '--document <file>',
    help: 'the signed document; the record has its hash, itself it stays where it is',
    label: 'Path of the signed document',
    expected: 'the path of a file that can be read, of at most 64 MiB, or (not of a baa) none',
    kinds: real,
    // A self-operated one may have no document apart from the record.
    standard: ({ kind }) => (kind === 'baa' ? undefined : 'none'),
    read: (text, world) => (text === 'none' ? undefined : hashDocument(resolve(world.folder, text))),
  },
  {
    name: 'purposes',
    flags: '--purposes <list>',
    help: `what it permits, of ${realPurposes.join(', ')}, or all`,
    label: 'Purposes',
    kinds: real,
    blank: ['evaluation'],
    choices: realPurposes,
    isList: true,
  },
  {
    name: 'tenants',
    flags: '--tenants <list>',
    help: 'codes of the departments in scope, as cardiology,oncology (default: all)',
    label: 'Codes of departments, or all',
    kinds: every,
    standard: () => 'all',
    read: readCodes,
  },
  { name: 'regions', flags: '--regions <list>', help: 'where it permits to process, as us-east', label: 'Regions', kinds: every, read: readCodes },
  {
    name: 'hosts',
    flags: '--hosts <list>',
    help: 'hashes of the hosts in scope (default: those whose manifest names this agreement)',
    label: 'Hashes of hosts, or none for those whose manifest names this agreement',
    kinds: real,
    blank: [],
    standard: () => 'none',
    read: readCodes,
  },
  {
    name: 'clauses',
    flags: '--clauses <list>',
    help: `what the document holds, of ${clauses.join(', ')}, or all`,
    label: 'Clauses that the document holds',
    kinds: ['baa'],
    blank: [],
    choices: clauses,
    isList: true,
  },
  {
    name: 'breachReportHours',
    flags: '--breach-report-hours <count>',
    help: 'a breach is reported within so many hours (default, but not of a baa: 24)',
    label: 'Hours within which a breach is reported',
    kinds: real,
    blank: 24,
    standard: ({ kind }) => (kind === 'baa' ? undefined : '24'),
    read: (text) => (/^\d{1,4}$/.test(text) ? Number(text) : undefined),
  },
  {
    name: 'termination',
    flags: '--termination <way>',
    help: 'what the document says of PHI at its end (of others than a baa: destroy)',
    label: 'PHI at its end',
    kinds: ['baa'],
    blank: 'destroy',
    choices: terminations,
  },
  {
    name: 'part2',
    flags: '--part2',
    help: 'it covers records under 42 CFR Part 2',
    label: 'Covers records under 42 CFR Part 2 (yes, no)',
    expected: 'yes or no',
    kinds: real,
    blank: false,
    standard: () => 'no',
    read: (text) => (text === 'yes' ? true : text === 'no' ? false : undefined),
  },
  {
    name: 'supersedes',
    flags: '--supersedes <id>',
    help: 'the agreement whose place it takes (default: none)',
    label: 'Id of the agreement whose place it takes, or none',
    expected: `${expectedFields.supersedes}, or none`,
    kinds: every,
    standard: () => 'none',
    read: (text) => (text === 'none' ? undefined : text),
  },
];
