/**
 * Owns what an agreement says: the fields that a machine can check, of the two real kinds and of the synthetic one for evaluation.
 * The signed document itself stays with the customer; only its hash is here. Refuses fields that it does not know.
 */
import { z } from 'zod';
import { forms, type Purpose, purposes } from './words.ts';

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

export interface Associate extends Party {
  readonly role: 'host' | 'operator' | 'support';
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
  readonly review?: string | undefined;
  /** SHA-256 of the executed document; a synthetic agreement has none. */
  readonly documentSha256?: string | undefined;
  readonly purposes: readonly Purpose[];
  /** Codes of the departments in scope; empty: all of the covered entity. */
  readonly tenants: readonly string[];
  readonly regions: readonly string[];
  /** Ids of the hosts in scope, as the manifest names them; empty: every host whose manifest names this agreement. */
  readonly hosts: readonly string[];
  readonly clauses: readonly Clause[];
  readonly breachReportHours: number;
  readonly termination: 'return' | 'destroy' | 'return-or-destroy';
  /** A qualified service organisation agreement for records under 42 CFR Part 2 is part of it. */
  readonly part2: boolean;
  /** The agreement whose place this one takes. */
  readonly supersedes?: string | undefined;
}
