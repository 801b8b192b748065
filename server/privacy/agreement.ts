/**
 * Owns what an agreement says: the fields that a machine can check, of the two real kinds and of the synthetic one for evaluation.
 * The signed document itself stays with the customer; only its hash is here. Refuses fields that it does not know.
 */
import { z } from 'zod';
import { dayMs } from './clock.ts';
import type { Envelope } from './envelope.ts';
import { SiteError } from './errors.ts';
import { codeLimit, forms, type Purpose, purposes } from './words.ts';

/** `self-operated`: the covered entity runs the server itself. `baa`: with business associates. `synthetic`: no PHI at all. */
export const agreementKinds = ['self-operated', 'baa', 'synthetic'] as const;
export type AgreementKind = (typeof agreementKinds)[number];

/** What 45 CFR 164.504(e) and 164.314(a) want a business associate contract to hold. */
export const clauses = [
  'permitted-uses',
  'safeguards',
  'incident-reporting',
  'subcontractor-flow-down',
  'access-support',
  'amendment-support',
  'accounting-support',
  'books-to-hhs',
  'return-or-destroy',
  'termination',
] as const;
export type Clause = (typeof clauses)[number];

export interface Party {
  readonly name: string;
  /** As the parties number each other: a tax or registry id. */
  readonly id: string;
}

export const associateRoles = ['host', 'operator', 'support'] as const;

export interface Associate extends Party {
  readonly role: (typeof associateRoles)[number];
}

export interface Subcontractor extends Party {
  /** Id of its own agreement. */
  readonly agreement: string;
}

export interface Signatory {
  readonly name: string;
  readonly title: string;
  /** `2026-11-24` */
  readonly date: string;
}

export const terminations = ['return', 'destroy', 'return-or-destroy'] as const;

export interface Agreement {
  readonly id: string;
  readonly kind: AgreementKind;
  readonly coveredEntity: Party;
  readonly associates: readonly Associate[];
  readonly subcontractors: readonly Subcontractor[];
  readonly signatories: readonly Signatory[];
  /** UTC, to the second: `2026-11-24T00:00:00Z`. In force from then on, and until `expires` excluding it. */
  readonly effective: string;
  /** Left out: evergreen, and `review` is there. */
  readonly expires?: string | undefined;
  /** `2027-11-24`, a day of UTC: in force until its end, and from then on only under a new agreement. */
  readonly review?: string | undefined;
  /** SHA-256 of the executed document; a synthetic agreement has none. */
  readonly documentSha256?: string | undefined;
  readonly purposes: readonly Purpose[];
  /** Codes of the departments in scope; empty: all of the covered entity. */
  readonly tenants: readonly string[];
  readonly regions: readonly string[];
  /** The hosts in scope, by the hashes that manifests name them by; empty: every host whose manifest names this agreement. */
  readonly hosts: readonly string[];
  readonly clauses: readonly Clause[];
  readonly breachReportHours: number;
  readonly termination: (typeof terminations)[number];
  /** A qualified service organisation agreement for records under 42 CFR Part 2 is part of it. */
  readonly part2: boolean;
  /** The agreement whose place this one takes. */
  readonly supersedes?: string | undefined;
}

export type AgreementField = keyof Agreement;

const name = z.string().regex(forms.name);
const code = z.string().max(codeLimit).regex(forms.code);
const id = z.string().regex(forms.agreementId);
const instant = z.string().refine((text) => /T\d\d:\d\d:\d\dZ$/.test(text) && isReal(text.slice(0, 10), text));
const date = z.string().refine((text) => isReal(text, `${text}T00:00:00Z`));
const party = { name, id: name };

const shape = {
  id,
  kind: z.enum(agreementKinds),
  coveredEntity: z.strictObject(party),
  associates: listOf(z.strictObject({ ...party, role: z.enum(associateRoles) }), 0, 16),
  subcontractors: listOf(z.strictObject({ ...party, agreement: id }), 0, 64),
  signatories: listOf(z.strictObject({ name, title: name, date }), 0, 16),
  effective: instant,
  expires: instant.optional(),
  review: date.optional(),
  documentSha256: z.string().regex(forms.sha256).optional(),
  purposes: listOf(z.enum(purposes), 1, purposes.length),
  tenants: listOf(code, 0, 256),
  regions: listOf(z.string().regex(forms.region), 1, 32),
  hosts: listOf(z.string().regex(forms.sha256), 0, 256),
  clauses: listOf(z.enum(clauses), 0, clauses.length),
  /** HIPAA's outer limit of 60 days. */
  breachReportHours: z.int().min(1).max(1440),
  termination: z.enum(terminations),
  part2: z.boolean(),
  supersedes: id.optional(),
} satisfies Record<AgreementField, z.ZodType>;

const schema: z.ZodType<Agreement> = z.strictObject(shape);

/** What each field must be, as the end of a sentence. */
export const expectedFields: Readonly<Record<AgreementField, string>> = {
  id: 'agr- and 8 to 32 small letters or digits',
  kind: `one of ${agreementKinds.join(', ')}`,
  coveredEntity: 'a name and an id, of letters, digits and plain punctuation',
  associates: `at most 16 different ones with name, id and role (${associateRoles.join(', ')})`,
  subcontractors: 'at most 64 different ones with name, id and the id of their own agreement',
  signatories: 'at most 16 different ones with name, title and date (2026-11-24)',
  effective: 'a real time of UTC to the second (2026-11-24T00:00:00Z)',
  expires: 'a real time of UTC to the second (2026-11-24T00:00:00Z)',
  review: 'a real date (2026-11-24)',
  documentSha256: 'a SHA-256 in 64 small hexadecimal digits',
  purposes: `one or more, without repetition, of ${purposes.join(', ')}`,
  tenants: 'at most 256 different codes of departments (cardiology), or none for all',
  regions: '1 to 32 different regions (us-east)',
  hosts: 'at most 256 different hashes of hosts, or none for those that the manifest names',
  clauses: `some or all, without repetition, of ${clauses.join(', ')}`,
  breachReportHours: 'a whole number from 1 to 1440',
  termination: `one of ${terminations.join(', ')}`,
  part2: 'true or false',
  supersedes: 'the id of another agreement',
};

/** Whether a value fits a field, for itself. */
export function fitsField(field: AgreementField, value: unknown): boolean {
  return shape[field].safeParse(value).success;
}

/** What a signed record of an agreement says. Its signatures are not judged. Throws SiteError. */
export function readAgreement({ type, record }: Envelope): Agreement {
  if (type !== 'inward.agreement.v1') throw new SiteError(`The record cannot be used: expected an agreement (inward.agreement.v1), found ${type}.`);
  const result = schema.safeParse(record);
  if (result.success) {
    const broken = rules.find(({ holds }) => !holds(result.data));
    if (broken === undefined) return result.data;
    throw new SiteError(`The agreement cannot be used: the field "${broken.field}" ${broken.rule}.`);
  }
  const [issue] = result.error.issues;
  const path = issue?.path.join('.') || 'record';
  if (issue?.code === 'unrecognized_keys') throw new SiteError(`The agreement cannot be used: its part "${path}" has a field that is not known.`);
  const field = String(issue?.path[0]) as AgreementField;
  throw new SiteError(`The agreement cannot be used: the field "${path}" is missing or of another form; expected ${expectedFields[field] ?? 'an agreement'}.`);
}

/** What a field breaks together with those before it, as what goes on after its name. A draft has all that the field's rules look at. */
export function findBrokenRule(field: AgreementField, draft: Partial<Agreement>): string | undefined {
  return rules.find((rule) => rule.field === field && !rule.holds(draft as Agreement))?.rule;
}

/** When an agreement begins, in ms of the epoch. */
export function beginOf({ effective }: Agreement): number {
  return Date.parse(effective);
}

const syntheticDays = 30;

/** When an agreement ends by itself, in ms of the epoch: an evergreen one with its day of review. */
export function endOf({ expires, review }: Agreement): number {
  return expires !== undefined ? Date.parse(expires) : Date.parse(review ?? '') + dayMs;
}

interface Rule {
  readonly field: AgreementField;
  /** Goes on after the field's name. */
  readonly rule: string;
  holds(agreement: Agreement): boolean;
}

function ruleOf(kind: AgreementKind, field: AgreementField, rule: string, holds: (agreement: Agreement) => boolean): Rule {
  return { field, rule: `of a ${kind} agreement ${rule}`, holds: (agreement) => agreement.kind !== kind || holds(agreement) };
}

/** What must hold across fields. */
const rules: readonly Rule[] = [
  { field: 'expires', rule: 'must be later than "effective"', holds: (agreement) => agreement.expires === undefined || endOf(agreement) > beginOf(agreement) },
  { field: 'review', rule: 'must not be before "effective"', holds: (agreement) => agreement.review === undefined || endOf(agreement) > beginOf(agreement) },
  { field: 'review', rule: 'or the field "expires" must be there', holds: ({ expires, review }) => expires !== undefined || review !== undefined },
  { field: 'review', rule: 'and the field "expires" must not be there both', holds: ({ expires, review }) => expires === undefined || review === undefined },
  { field: 'supersedes', rule: 'must name another agreement', holds: (agreement) => agreement.supersedes !== agreement.id },
  ruleOf('self-operated', 'associates', 'must be empty: all is done by the covered entity', ({ associates }) => associates.length === 0),
  ruleOf('self-operated', 'subcontractors', 'must be empty: all is done by the covered entity', ({ subcontractors }) => subcontractors.length === 0),
  ruleOf('self-operated', 'signatories', 'must have somebody who signed for the covered entity', ({ signatories }) => signatories.length > 0),
  ruleOf('self-operated', 'purposes', 'must not have evaluation: that is for synthetic ones', ({ purposes }) => !purposes.includes('evaluation')),
  ruleOf('baa', 'associates', 'must have at least one', ({ associates }) => associates.length > 0),
  ruleOf('baa', 'associates', 'must not have the covered entity itself', ({ associates, coveredEntity }) =>
    associates.every((associate) => associate.id !== coveredEntity.id),
  ),
  ruleOf(
    'baa',
    'signatories',
    'must have people of both sides, at least two',
    ({ signatories }) => new Set(signatories.map((person) => person.name)).size >= 2,
  ),
  ruleOf(
    'baa',
    'clauses',
    `must have all ${clauses.length}: 45 CFR 164.504(e) wants them in the contract`,
    (agreement) => agreement.clauses.length === clauses.length,
  ),
  ruleOf('baa', 'documentSha256', 'must be there: the hash of the signed contract', ({ documentSha256 }) => documentSha256 !== undefined),
  ruleOf('baa', 'purposes', 'must not have evaluation: that is for synthetic ones', ({ purposes }) => !purposes.includes('evaluation')),
  ruleOf('synthetic', 'associates', 'must be empty', ({ associates }) => associates.length === 0),
  ruleOf('synthetic', 'subcontractors', 'must be empty', ({ subcontractors }) => subcontractors.length === 0),
  ruleOf('synthetic', 'documentSha256', 'must not be there', ({ documentSha256 }) => documentSha256 === undefined),
  ruleOf('synthetic', 'purposes', 'must be evaluation and nothing else', ({ purposes }) => purposes.length === 1 && purposes[0] === 'evaluation'),
  ruleOf('synthetic', 'expires', `must be there, and within ${syntheticDays} days of "effective"`, (agreement) => {
    return agreement.expires !== undefined && endOf(agreement) - beginOf(agreement) <= syntheticDays * dayMs;
  }),
];

function listOf<T extends z.ZodType>(entry: T, least: number, most: number): z.ZodType<z.output<T>[]> {
  return z
    .array(entry)
    .min(least)
    .max(most)
    .refine((entries) => new Set(entries.map((value) => JSON.stringify(value))).size === entries.length);
}

/** A date and a time that Date reads as they are written; it would take 30 February for a day of March. */
function isReal(date: string, time: string): boolean {
  if (!/^2[01]\d\d-\d\d-\d\d$/.test(date)) return false;
  const value = Date.parse(time);
  return !Number.isNaN(value) && new Date(value).toISOString() === time.replace('Z', '.000Z');
}
