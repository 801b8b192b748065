/**
 * Owns which fields of HL7 v2 segments are identifiers (2.5.1 with later ones), as data. Refuses nothing: what is not in it is prose
 * or a code, and a segment beginning with Z is anybody's.
 */
import type { Category } from '../types.ts';

/** `name`: XPN or XCN; `address`: XAD; `ids`: CX, with the kind in its fifth component; `contact`: XTN; else all components. */
export type FieldRule = 'name' | 'person' | 'address' | 'ids' | 'contact' | 'prose' | 'keep' | Category;

const table: Readonly<Record<string, Readonly<Partial<Record<FieldRule, string>>>>> = {
  MSH: { keep: '1 2 3 4 5 6 8 9 10 11 12', OTHER_ID: '' },
  EVN: { person: '5', keep: '1 4' },
  PID: {
    ids: '2 3 4 18 21',
    name: '5 6 9',
    address: '11',
    GEO: '12 23',
    contact: '13 14 40',
    SSN: '19',
    LICENSE: '20',
    keep: '1 8 10 15 16 17 22 24 25 26 27 28 30 35 36',
  },
  PD1: { person: '4', ids: '8', GEO: '3' },
  NK1: {
    name: '2 30',
    address: '4 32',
    contact: '5 6 31 40 41',
    ids: '12 33',
    GEO: '13',
    SSN: '37',
    keep: '1 3 7 14 15',
  },
  PV1: { person: '7 8 9 17 52', ids: '5 19 50', keep: '1 2 3 4 6 10 14 15 16 18 36' },
  PV2: { person: '13' },
  GT1: {
    ids: '2 19 29',
    name: '3 4 16 42 45',
    address: '5 17',
    contact: '6 7 18 46',
    SSN: '12',
    NAME: '21 51',
    keep: '1 9 10 11 30',
  },
  IN1: {
    ids: '49',
    HEALTH_PLAN: '8 10 36 29',
    GEO: '9 11',
    address: '5 19 44',
    name: '6 16 30 52',
    contact: '7',
    keep: '1 2 3 4 15 17 20 21 22 43',
  },
  IN2: { ids: '1 61 63', SSN: '2', OTHER_ID: '3', HEALTH_PLAN: '6 8 10 26', NAME: '7 9', name: '22 40 49', contact: '58 59' },
  IN3: { HEALTH_PLAN: '2', person: '3 8 14 25' },
  ORC: { OTHER_ID: '2 3 4 8 33', person: '10 11 12 19 30', contact: '14 23', GEO: '21', address: '22 24', keep: '1 5 6' },
  OBR: { OTHER_ID: '2 3 18 19 20 21 29 51 53', person: '10 16 28 32 33 34 35 50', contact: '17', keep: '1 4 24 25' },
  OBX: { person: '16 25', OTHER_ID: '21', DEVICE: '18', GEO: '23', address: '24', keep: '1 2 3 4 6 7 8 11' },
  NTE: { prose: '3', keep: '1 2 4' },
  SPM: { OTHER_ID: '2 3 30 31', person: '', keep: '1 4' },
  TXA: { OTHER_ID: '12 13 14 15', person: '5 9 10 11 22' },
  FT1: { OTHER_ID: '2 3 23', person: '20 21 24' },
  DG1: { person: '16', OTHER_ID: '20 22', keep: '1 2 3 6' },
  PR1: { person: '8 11 12', keep: '1 2 3' },
  AL1: { keep: '1 2 3 4', prose: '5' },
  RXA: { person: '10', DEVICE: '15', keep: '1 2 5 6 7', GEO: '27 28' },
  RXE: { person: '13 14', OTHER_ID: '15', keep: '1 2' },
  RXO: { person: '14 15', keep: '1' },
  RXR: { keep: '1 2 3' },
  MRG: { ids: '1 2 3 4 5 6', name: '7' },
  ROL: { person: '4', address: '11', contact: '12', OTHER_ID: '1' },
  PDA: { GEO: '2', person: '5' },
  ACC: { address: '11', GEO: '3', person: '7' },
  UB2: { HEALTH_PLAN: '' },
  STF: { ids: '1 2', name: '3', contact: '10', address: '11', keep: '4 5' },
  SCH: { OTHER_ID: '1 2 3 4', person: '12 16 20', contact: '13 17', address: '14 18' },
  AIP: { person: '3' },
  AIL: { GEO: '3' },
  CON: { person: '24 25' },
  PRT: { person: '5', OTHER_ID: '10', address: '14', contact: '15' },
};

const rules: ReadonlyMap<string, ReadonlyMap<number, FieldRule>> = new Map(
  Object.entries(table).map(([segment, fields]) => [
    segment,
    new Map(
      Object.entries(fields).flatMap(([rule, numbers]) =>
        numbers.split(' ').flatMap((number) => (number === '' ? [] : [[Number(number), rule as FieldRule] as const])),
      ),
    ),
  ]),
);

/** Rule of a field by its number in the standard; undefined: not listed, or a segment that is not known. */
export function hl7Rule(segment: string, field: number): FieldRule | undefined {
  return rules.get(segment)?.get(field);
}
