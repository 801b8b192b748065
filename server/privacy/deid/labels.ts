/**
 * Owns what stands before a number and says what it is (`MRN:`, `policy #`, `NASS`), in English and Spanish, and how the way from it to the value is read.
 * The longest phrase wins.
 */
import type { Scan } from './scan.ts';
import { Gap } from './tokens.ts';
import type { Category } from './types.ts';
import { Cue, setCue } from './words.ts';

const phrases: Readonly<Partial<Record<Category, string>>> = {
  MRN: `mrn|mr|mrno|emr|ehr|medical record|medical record number|medical records|med rec|medrec|record|chart|chart number|patient id|patient identifier|patient identification|patient number|pt id|
    hospital number|hospital id|unit number|hospital no|nhs|nhs number|chi number|pid|nhc|nhcl|historia clinica|numero de historia|numero de historia clinica|n historia|historia|h c|id`,
  SSN: 'ssn|ss|social security|social security number|social|soc sec|itin',
  HEALTH_PLAN: `member|member id|member number|subscriber|subscriber id|subscriber number|insurance plan|plan|policy|policy number|policy no|policy id|plan number|plan id|health plan|health plan number|health plan id|
    health plan beneficiary|health plan beneficiary number|beneficiary|beneficiary number|beneficiary id|insurance|insurance number|insurance id|ins|ins id|hpbn|hp|hpid|group|group number|group no|grp|rxbin|
    rx bin|pcn|rxgrp|rx group|medicare|medicare id|medicare number|medicaid|medicaid id|medicaid number|mbi|hicn|hic|payer id|coverage|nass|numero de la seguridad social|seguridad social|numero de afiliacion|
    afiliacion|cipa|cip|tarjeta sanitaria|n ss|nuss|aseguramiento|poliza`,
  ACCOUNT: `account|account number|account no|acct|acct number|acct no|a c|fin|har|csn|billing|billing number|billing account|invoice|invoice number|claim|claim number|claim id|card|credit card|credit card number|card number|card no|debit card|
    iban|routing|routing number|bank account|guarantor|guarantor number|guarantor id|cuenta|numero de cuenta|tarjeta`,
  LICENSE: `license|license number|license no|licence|licence number|lic|dl|driver license|driver s license|drivers license|driver s license number|drivers license number|driver licence|dea|dea number|npi|npi number|upin|certificate|certificate number|certification|
    certification number|cert|board certification|medical license|state license|registration|registration number|reg no|ncol|nocol|no col|n col|num col|no col|numero de colegiado|colegiado|colegiada|col`,
  VEHICLE: 'vin|vehicle|vehicle identification number|vehicle id|license plate|licence plate|plate|plate number|plates|tag number|registration plate|matricula',
  DEVICE: `serial|serial number|serial no|s n|sn|device|device id|device serial|device serial number|device identifier|device number|implant|implant serial|udi|lot|lot number|lot no|model number|imei|mac address|mac|
    numero de serie|lote`,
  PHONE: `phone|phone number|telephone|telephone number|tel|tele|cell|cell phone|cellphone|mobile|mobile number|home phone|work phone|pager|pgr|beeper|call|callback|call back|text|contact|contact number|reach|desk|office|ph|
    telefono|tlf|tfno|telf|tfn|movil|dial|extension|ext|x|voicemail|answering|hotline|whatsapp`,
  FAX: 'fax|fax number|facsimile|telefax',
  BIOMETRIC: 'fingerprint|fingerprint id|voiceprint|voice print|retina scan|iris scan|biometric|biometric id|face id|palm print',
  PHOTO: 'photo|photo id|photograph|photo file|image file|picture|foto',
  OTHER_ID: `case|case number|case no|case id|accession|accession number|accession no|acc|specimen|specimen id|specimen number|sample id|order|order number|order id|order no|encounter|encounter number|encounter id|visit|visit number|visit id|visit no|reference|reference number|ref|ref no|
    passport|passport number|passport no|employee id|employee number|employee|badge|badge number|student id|study id|subject id|subject|participant|participant id|trial id|barcode|prescription number|rx number|ticket|tracking|tracking number|confirmation|
    confirmation number|unique id|unique identifier|identifier|identification|identification number|id number|id no|national id|tax id|ein|user id|username|login|token|pin|dni|nie|nif|pasaporte|numero de identificacion|episodio|numero de episodio|n episodio`,
};

interface Phrase {
  readonly rest: readonly string[];
  readonly type: Category;
}

const byFirst = new Map<string, Phrase[]>();
for (const [type, text] of Object.entries(phrases) as [Category, string][])
  for (const phrase of text.split('|')) {
    const [first = '', ...rest] = phrase.trim().split(' ');
    byFirst.set(first, [...(byFirst.get(first) ?? []), { rest, type }]);
  }
setCue(Cue.label, byFirst.keys());
for (const list of byFirst.values()) list.sort((a, b) => b.rest.length - a.rest.length);

export interface Label {
  readonly type: Category;
  /** The word that it begins with, folded, and the token after its last word. */
  readonly word: string;
  readonly end: number;
}

/** The label that begins at a token, across apostrophes, full stops, slashes and hyphens inside of it. */
export function labelAt(scan: Scan, index: number): Label | undefined {
  if (!scan.isCue(index, Cue.label)) return undefined;
  for (const { rest, type } of byFirst.get(scan.at(index)) ?? []) {
    let at = index + 1;
    let matched = true;
    for (const word of rest) {
      while (isInnerMark(scan, at)) at += 1;
      matched = scan.at(at) === word && scan.gap(at) <= Gap.line;
      if (!matched) break;
      at += 1;
    }
    if (matched) return { type, word: scan.at(index), end: at };
  }
  return undefined;
}

function isInnerMark(scan: Scan, index: number): boolean {
  return /^['./º°-]$/.test(scan.at(index)) && scan.gap(index) === Gap.none;
}

const connectors: ReadonlySet<string> = new Set(
  ': # = . - ( [ " \' / | no num number numbers nr nbr n id ids is was are of code º ° numero núm identifier identification ending in with being card value'.split(
    ' ',
  ),
);

/** Where the value of a label begins: at most eight marks and small words further; a line break may lie between. */
export function valueAfter(scan: Scan, end: number): number | undefined {
  for (let at = end; at < end + 8 && at < scan.count; at++) {
    if (scan.gap(at) > Gap.line) return undefined;
    if (scan.isNumber(at)) return at;
    const word = scan.at(at);
    if (connectors.has(word) && !startsCode(scan, at)) continue;
    return scan.isWord(at) && startsCode(scan, at) ? at : undefined;
  }
  return undefined;
}

/** Letters that run on into digits: `CS-987654`, `A12`. */
export function startsCode(scan: Scan, index: number): boolean {
  if (!scan.isWord(index)) return false;
  for (let at = index + 1; at < index + 8 && scan.isJoined(at); at++) {
    if (scan.isNumber(at)) return true;
    if (!scan.isWord(at) && !/^[-/_.]$/.test(scan.at(at))) return false;
  }
  return false;
}
