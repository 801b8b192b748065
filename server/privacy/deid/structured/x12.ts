/**
 * Owns X12 interchanges within a text (837, and others of the same segments): elements by segment and qualifier, with the separators
 * that the header names. Refuses the envelope (ISA, GS, ST and their ends), which has fixed widths and says who sends to whom, and codes.
 */
import type { Category } from '../types.ts';
import { cut, type Document, DocumentWriter, type Part } from './document.ts';
import { contactOf, isPackedDate } from './kinds.ts';

interface Separators {
  readonly element: string;
  readonly component: string;
  readonly segment: string;
}

/** Length of ISA with its terminator: all its elements have fixed widths. */
const headLength = 106;
const envelope = new Set(['ISA', 'GS', 'ST', 'SE', 'GE', 'IEA', 'TA1', 'HL', 'LX']);
/** Segments of codes and amounts; words in them are prose all the same. */
const known = new Set(
  'BHT NM1 N1 N2 N3 N4 PER REF SBR PAT DMG CLM DTP DTM NTE MSG K3 III HI SV1 SV2 SV3 SV5 SVD CAS AMT QTY MOA MIA OI PRV CUR CN1 PWK CR1 CR2 CR3 CR5 CR6 CR7 CRC HSD HCP LIN CTP LQ FRM PS1 UM EB EQ TRN STC AAA INS HD COB BPR CLP SVC PLB LS LE DN1 DN2 TOO MEA TST BGN TPA OTI GS1 UC'.split(
    ' ',
  ),
);
/** REF-01. */
const references: Readonly<Record<string, Category>> = {
  SY: 'SSN',
  EA: 'MRN',
  '1W': 'HEALTH_PLAN',
  '1L': 'HEALTH_PLAN',
  '0F': 'HEALTH_PLAN',
  IG: 'HEALTH_PLAN',
  '6P': 'HEALTH_PLAN',
  '0B': 'LICENSE',
  '1G': 'LICENSE',
  HPI: 'LICENSE',
  D3: 'LICENSE',
  '6R': 'ACCOUNT',
  LX: 'DEVICE',
};
/** NM1-08; the payer's own number may stand. */
const identifiers: Readonly<Record<string, Category | undefined>> = {
  MI: 'HEALTH_PLAN',
  II: 'HEALTH_PLAN',
  XX: 'LICENSE',
  '34': 'SSN',
  PI: undefined,
  XV: undefined,
};
/** Entities that are no person's: who pays, sends and receives. */
const institutions = new Set(['PR', '40', '41', 'TT']);

/** All interchanges of one text, from left to right. */
export class X12Reader {
  readonly #text: string;
  /** Where each code unit stands last; made when a search has been in vain. */
  #lasts: Int32Array | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  read(start: number): { readonly document: Document | undefined; readonly end: number } {
    const text = this.#text;
    const separators = readSeparators(text, start);
    if (separators === undefined) return { document: undefined, end: start + 2 };
    const writer = new DocumentWriter();
    let at = start;
    for (;;) {
      // The name first: the end of what is no segment may be far.
      const name = readSegmentName(text, at, separators);
      const end = name === undefined ? -1 : this.#findEnd(at, separators.segment);
      if (name === undefined || end < 0) break;
      new Segment(text, name, cut(text, { start: at, end }, separators.element), separators, writer).judge();
      at = end + separators.segment.length;
      if (name === 'IEA') break;
      while (/[\r\n ]/.test(text[at] ?? '')) at += 1;
    }
    return { document: at > start ? writer.finish(start, at) : undefined, end: Math.max(at, start + 2) };
  }

  /** -1 if there is none. A search in vain reads all the rest, so it is made once in a text, whatever begins in it again and again. */
  #findEnd(from: number, segment: string): number {
    if (this.#lasts !== undefined && (this.#lasts[segment.charCodeAt(0)] as number) < from) return -1;
    const end = this.#text.indexOf(segment, from);
    if (end < 0) this.#lasts = findLasts(this.#text);
    return end;
  }
}

function findLasts(text: string): Int32Array {
  const lasts = new Int32Array(0x10000).fill(-1);
  for (let at = 0; at < text.length; at += 1) lasts[text.charCodeAt(at)] = at;
  return lasts;
}

/** A name has three signs at most, and white space around it at times. */
const longestName = 16;

function readSegmentName(text: string, at: number, { element, segment }: Separators): string | undefined {
  const [head = ''] = text.slice(at, at + longestName).split(element, 1);
  const name = head.split(segment, 1)[0]?.trim() ?? '';
  return /^[A-Z][A-Z0-9]{1,2}$/.test(name) ? name : undefined;
}

function readSeparators(text: string, start: number): Separators | undefined {
  if (!text.startsWith('ISA', start)) return { element: '*', component: ':', segment: '~' };
  const element = text[start + 3] ?? '';
  const head = text.slice(start, start + headLength);
  // Sixteen elements; the last is the separator of components, and what follows it ends the segment.
  const elements = head.split(element);
  const [component, segment] = [elements[16]?.[0], elements[16]?.[1]];
  return elements.length === 17 && component !== undefined && segment !== undefined ? { element, component, segment } : undefined;
}

function textOf(text: string, part: Part | undefined): string {
  return part === undefined ? '' : text.slice(part.start, part.end).trim();
}

class Segment {
  readonly #text: string;
  readonly #name: string;
  readonly #elements: readonly Part[];
  readonly #separators: Separators;
  readonly #writer: DocumentWriter;
  readonly #judged = new Set<number>();

  constructor(text: string, name: string, elements: readonly Part[], separators: Separators, writer: DocumentWriter) {
    this.#text = text;
    this.#name = name;
    this.#elements = elements;
    this.#separators = separators;
    this.#writer = writer;
  }

  judge(): void {
    if (envelope.has(this.#name)) return;
    // A segment of somebody's own is no part of the standard, and its name may say whose it is.
    if (!known.has(this.#name) && this.#name.startsWith('Z')) this.add(0, 'OTHER_ID');
    judges[this.#name]?.(this);
    for (const [number, element] of this.#elements.entries()) if (number > 0 && !this.#judged.has(number)) this.#judgeRest(element);
  }

  /** Text of an element. */
  read(number: number): string {
    return textOf(this.#text, this.#elements[number]);
  }

  add(number: number, type: Category): void {
    const element = this.#elements[number];
    if (element === undefined || this.#judged.has(number)) return;
    this.#judged.add(number);
    for (const { start, end } of cut(this.#text, element, this.#separators.component)) this.#writer.addField(this.#text, start, end, type);
  }

  /** Codes and names of institutions. */
  keep(...numbers: number[]): void {
    for (const number of numbers) this.#judged.add(number);
  }

  addProse(number: number): void {
    const element = this.#elements[number];
    if (element === undefined) return;
    this.#judged.add(number);
    this.#writer.addProse(element.start, element.end);
  }

  /** Dates by their form, words as prose; in a segment that no standard has, everything. */
  #judgeRest(element: Part): void {
    for (const { start, end } of cut(this.#text, element, this.#separators.component)) {
      const value = this.#text.slice(start, end);
      const [first = '', second] = value.split('-', 2);
      if (isPackedDate(first) && (second === undefined || isPackedDate(second))) this.#addDates(start, value);
      else if (!known.has(this.#name) && end - start > 2) this.#writer.addField(this.#text, start, end, 'OTHER_ID');
      else if (/\p{L}{4}/u.test(value)) this.#writer.addProse(start, end);
    }
  }

  #addDates(start: number, value: string): void {
    for (const { index, 0: date } of value.matchAll(/\d+/g)) this.#writer.addField(this.#text, start + index, start + index + date.length, 'DATE');
  }
}

const judges: Readonly<Record<string, (segment: Segment) => void>> = {
  BHT: (segment) => segment.add(3, 'OTHER_ID'),
  NM1: judgeName,
  N1: judgeName,
  N2: (segment) => [1, 2].forEach((number) => void segment.add(number, 'NAME')),
  N3: (segment) => [1, 2].forEach((number) => void segment.add(number, 'GEO')),
  N4: (segment) => {
    for (const number of [1, 3, 6]) segment.add(number, 'GEO');
    segment.keep(2, 4, 5);
  },
  PER: (segment) => {
    segment.add(2, 'NAME');
    for (const number of [4, 6, 8]) segment.add(number, contactType(segment.read(number - 1), segment.read(number)));
  },
  DMG: (segment) => segment.add(2, 'DATE'),
  REF: (segment) => {
    segment.add(2, references[segment.read(1)] ?? 'OTHER_ID');
    segment.add(3, 'OTHER_ID');
  },
  SBR: (segment) => [3, 4].forEach((number) => void segment.add(number, 'HEALTH_PLAN')),
  CLM: (segment) => segment.add(1, 'ACCOUNT'),
  CLP: (segment) => [1, 7].forEach((number) => void segment.add(number, 'ACCOUNT')),
  TRN: (segment) => segment.add(2, 'OTHER_ID'),
  PRV: (segment) => segment.keep(3),
  NTE: (segment) => segment.addProse(2),
  MSG: (segment) => segment.addProse(1),
  K3: (segment) => segment.addProse(1),
  III: (segment) => segment.addProse(4),
};

/** A person's name, or a place's; a payer's may stand. */
function judgeName(segment: Segment): void {
  const isPerson = segment.read(2) === '1';
  const isInstitution = institutions.has(segment.read(1)) && !isPerson;
  const isLong = segment.read(0) === 'NM1';
  if (isInstitution) segment.keep(2, 3, 4, 9);
  else if (isLong) judgeLongName(segment, isPerson);
  else {
    segment.add(2, 'GEO');
    segment.add(4, segment.read(3) === 'XX' ? 'LICENSE' : 'OTHER_ID');
  }
}

function judgeLongName(segment: Segment, isPerson: boolean): void {
  for (const number of [3, 4, 5]) segment.add(number, isPerson ? 'NAME' : 'GEO');
  const qualifier = segment.read(8);
  if (Object.hasOwn(identifiers, qualifier) && identifiers[qualifier] === undefined) segment.keep(9);
  else segment.add(9, identifiers[qualifier] ?? 'OTHER_ID');
}

function contactType(qualifier: string, value: string): Category {
  return ({ FX: 'FAX', EM: 'EMAIL', UR: 'URL', TE: 'PHONE', HP: 'PHONE', WP: 'PHONE' } as const)[qualifier as 'FX'] ?? contactOf(value).type;
}
