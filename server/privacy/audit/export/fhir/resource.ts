/**
 * Owns the part of FHIR R4's AuditEvent (http://hl7.org/fhir/StructureDefinition/AuditEvent, 4.0.1) that Inward writes, as types.
 * Refuses references to other resources, `entity.query` and extensions: they are left out.
 */
import type { Action, Outcome } from '../traits.ts';

export interface Coding {
  readonly system: string;
  readonly code: string;
  readonly display?: string;
}

export interface CodeableConcept {
  readonly coding: readonly Coding[];
}

/** A logical reference: it names something by an identifier, and no resource. */
export interface Reference {
  readonly type?: 'Device';
  readonly identifier: { readonly system: string; readonly value: string };
}

export interface Agent {
  readonly type: CodeableConcept;
  readonly who?: Reference;
  readonly altId?: string;
  /** It began what happened. */
  readonly requestor: boolean;
  readonly policy?: readonly string[];
  /** `2`: an IP address. */
  readonly network?: { readonly address: string; readonly type: '2' };
}

export interface Entity {
  readonly what: Reference;
  readonly type: Coding;
  readonly role?: Coding;
  readonly detail?: readonly { readonly type: string; readonly valueString: string }[];
}

export interface AuditEventResource {
  readonly resourceType: 'AuditEvent';
  readonly id?: string;
  readonly meta?: { readonly profile: readonly string[] };
  readonly type: Coding;
  readonly subtype: readonly Coding[];
  readonly action: Action;
  readonly period?: { readonly start: string; readonly end: string };
  readonly recorded: string;
  readonly outcome?: Outcome;
  readonly outcomeDesc?: string;
  readonly purposeOfEvent?: readonly CodeableConcept[];
  readonly agent: readonly Agent[];
  readonly source: { readonly site?: string; readonly observer: Reference; readonly type: readonly Coding[] };
  readonly entity: readonly Entity[];
}
