/**
 * Owns codes and identifiers as FHIR writes them: DICOM's, HL7's purposes of use, and our own under one base URI. Refuses a purpose of
 * HL7 that only nearly fits: our own stands beside it.
 */
import type { AuditRecord, EventOf } from '../../events.ts';
import { type DicomCode, dicomCodes } from '../traits.ts';
import type { CodeableConcept, Coding, Reference } from './resource.ts';

const dicomSystem = 'http://dicom.nema.org/resources/ontology/DCM';
const reasonSystem = 'http://terminology.hl7.org/CodeSystem/v3-ActReason';

const reasons = {
  TREAT: 'treatment',
  ETREAT: 'Emergency Treatment',
  COVAUTH: 'coverage authorization',
  HPAYMT: 'healthcare payment',
  HQUALIMP: 'health quality improvement',
  HOPERAT: 'healthcare operations',
  HTEST: 'test health data',
} as const;
type Reason = keyof typeof reasons;

/** Value set http://terminology.hl7.org/ValueSet/v3-PurposeOfUse; that a review of utilization is payment says 45 CFR 164.501. */
const purposeReasons: Readonly<Record<EventOf<'intent'>['purpose'], Reason>> = {
  documentation: 'TREAT',
  'prior-authorization': 'COVAUTH',
  messaging: 'TREAT',
  summarization: 'TREAT',
  coding: 'HPAYMT',
  'utilization-review': 'HPAYMT',
  'decision-support': 'TREAT',
  quality: 'HQUALIMP',
  operations: 'HOPERAT',
  evaluation: 'HTEST',
  emergency: 'ETREAT',
};

export function toCoding(code: DicomCode): Coding {
  return { system: dicomSystem, code: String(code), display: dicomCodes[code] };
}

/** Something that Inward names, by its own identifier. */
export function refer(kind: string, value: string, base: string): Reference {
  return { identifier: { system: `${base}:${kind}`, value } };
}

/** HL7's code and ours; undefined where the record has no purpose. */
export function describePurpose(record: AuditRecord, base: string): CodeableConcept | undefined {
  if (record.event === 'intent') {
    return { coding: [toReason(purposeReasons[record.purpose]), { system: `${base}:purpose`, code: record.purpose }] };
  }
  return record.event === 'break_glass' || record.event === 'key_opened' ? { coding: [toReason('ETREAT')] } : undefined;
}

function toReason(code: Reason): Coding {
  return { system: reasonSystem, code, display: reasons[code] };
}
