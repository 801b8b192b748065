/** Messages of each format: what the standards call an identifier goes, codes stay, the syntax too. Field numbers from the standards. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { deidentify } from '../../../../../server/privacy/deid/deidentify.ts';
import { restore } from '../../../../../server/privacy/deid/restore/restorer.ts';
import { findIdentifiers } from '../../../../../server/privacy/deid/search.ts';
import { findDocuments } from '../../../../../server/privacy/deid/structured/find.ts';
import { findTestData } from '../../../../test-data.ts';
import { createListDetector } from '../detector.ts';
import { expectLinear, repeat } from '../growth.ts';

const none = createListDetector({});

/** `TYPE value` of each place. */
function read(text: string, detector = none): string[] {
  return findIdentifiers(text, detector).map(({ start, end, type }) => `${type} ${text.slice(start, end)}`);
}

test('FHIR: a patient', () => {
  const patient = {
    resourceType: 'Patient',
    id: 'abc-1',
    meta: { versionId: '7', profile: ['http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient'] },
    identifier: [
      { type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: 'MR' }] }, system: 'http://hospital.example', value: 'm-77' },
      { system: 'http://hl7.org/fhir/sid/us-ssn', value: '123-45-6789' },
    ],
    name: [{ use: 'official', family: 'Smith', given: ['John', 'A'], prefix: ['Mr.'] }],
    telecom: [
      { system: 'phone', value: '617-253-1000' },
      { system: 'email', value: 'mailto:js@example.org' },
      { system: 'url', value: 'https://example.org/js' },
    ],
    gender: 'male',
    birthDate: '1970-01-25',
    deceasedAge: { value: 93, unit: 'a' },
    multipleBirthInteger: 2,
    address: [{ line: ['5 Old Road'], city: 'Salem', state: 'MA', postalCode: '01970', country: 'US' }],
    photo: [{ contentType: 'image/jpeg', data: 'aGVsbG8=' }],
    generalPractitioner: [{ reference: 'Practitioner/77', display: 'Dr. Jones' }],
    managingOrganization: { display: 'Salem Clinic' },
    maritalStatus: { coding: [{ system: 'http://x.example', code: 'S', display: 'Never Married' }] },
    extension: [
      { url: 'http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName', valueString: 'Wong' },
      { url: 'http://hl7.org/fhir/us/core/StructureDefinition/us-core-race', extension: [{ url: 'text', valueString: 'White' }] },
      { url: 'http://vendor.example/secret', valueString: 'Room of Smithy' },
    ],
  };
  const expected = [
    'OTHER_ID abc-1',
    'MRN m-77',
    'SSN 123-45-6789',
    'NAME Smith',
    'NAME John',
    'NAME A',
    'PHONE 617-253-1000',
    'EMAIL js@example.org',
    'URL https://example.org/js',
    'DATE 1970-01-25',
    'DATE 93',
    'GEO 5 Old Road',
    'GEO Salem',
    'GEO 01970',
    'PHOTO aGVsbG8=',
    'OTHER_ID 77',
    'NAME Dr. Jones',
    'GEO Salem Clinic',
    'NAME Wong',
    'OTHER_ID Room of Smithy',
  ];
  expect(read(JSON.stringify(patient))).toEqual(expected);
  expect(read(JSON.stringify(patient, undefined, 2))).toEqual(expected);
  expect(read(`Summarize this: ${JSON.stringify(patient)} Be brief.`)).toEqual(expected);
});

test('FHIR: codes, quantities and units of an observation stay, the note goes to the detector through its escapes', () => {
  const observation = {
    resourceType: 'Observation',
    code: { coding: [{ system: 'http://loinc.org', code: '2951-2', display: 'Sodium' }] },
    effectiveDateTime: '2019-03-14T09:32:00Z',
    valueQuantity: { value: 140, unit: 'mmol/L', system: 'http://unitsofmeasure.org', code: 'mmol/L' },
    note: [{ text: 'told "José"\nSmith of it', authorString: 'N. Wong' }],
  };
  const detector = createListDetector({ NAME: ['José', 'Smith'] });
  expect(read(JSON.stringify(observation), detector)).toEqual(['DATE 2019-03-14T09:32:00Z', 'NAME José', 'NAME Smith', 'NAME N. Wong']);
  const escaped = JSON.stringify(observation).replace('é', '\\u00e9');
  expect(read(escaped, detector)[1]).toBe('NAME Jos\\u00e9');
});

test('other JSON goes by its keys, and prose in brackets is prose', () => {
  expect(read('{"patient_name":"J S","dateOfBirth":"1/2/70","mrn":12345678,"dx":"flu"}')).toEqual(['NAME J S', 'DATE 1/2/70', 'MRN 12345678']);
  expect(read('see [1] and {a} and ["Smith", 5]', createListDetector({ NAME: ['Smith'] }))).toEqual(['NAME Smith']);
  expect(findDocuments('see [1] and {a} and ["Smith", 5]')).toEqual([]);
});

test('JSON that is cut off, broken or very deep is read as far as it goes', () => {
  expect(read('{"resourceType":"Patient","name":[{"family":"Smith","given":["Jo')).toEqual(['NAME Smith']);
  expect(read('{"mrn":"12345", oops "ssn":"1"}')).toEqual(['MRN 12345']);
  const deep = `${'{"a":['.repeat(2000)}{"mrn":"777-12"}${']}'.repeat(2000)}`;
  expect(read(deep)).toEqual(['MRN 777-12']);
});

test('HL7 v2: fields by number, components and repetitions, dates by form, segments of makers whole', () => {
  const message = [
    'MSH|^~\\&|APP|FAC|APP|FAC|20200101120000||ADT^A01|M1|P|2.5',
    'PID|1||77-1^^^HOSP^MR~123456789^^^SSA^SS||Smith^John^A||19700125|M|||5 Old Road^^Salem^MA^01970||6172531000',
    'PV1|1|I|WARD^1^2||||4711^Jones^Mary',
    'OBX|1|TX|1^Note^L|1|Smith is well since 2020||||||F|||20200102',
    'OBX|2|NM|2951-2^Sodium^LN|1|20241231|mmol/L',
    'NTE|1||seen by Mary',
    'ZPI|1|Anything of a vendor',
  ].join('\r');
  const expected = [
    'DATE 20200101120000',
    'MRN 77-1',
    'SSN 123456789',
    'NAME Smith',
    'NAME John',
    'NAME A',
    'DATE 19700125',
    'GEO 5 Old Road',
    'GEO Salem',
    'GEO 01970',
    'PHONE 6172531000',
    'OTHER_ID 4711',
    'NAME Jones',
    'NAME Mary',
    // A name of a field is that name in the notes.
    'NAME Smith',
    'DATE 20200102',
    'NAME Mary',
    'OTHER_ID Anything of a vendor',
  ];
  expect(read(message)).toEqual(expected);
  expect(read(`Explain:\n${message.replaceAll('\r', '\n')}\n\nThank you, Mary.`)).toEqual([...expected, 'NAME Mary']);
  // The message's own separators.
  expect(read('MSH#$%\\&#APP#FAC\rPID#1##77-1$$$HOSP$MR##Smith$John')).toEqual(['MRN 77-1', 'NAME Smith', 'NAME John']);
});

test('C-CDA: header, contacts, dates and ids; narrative to the detector; template ids and codes stay', () => {
  const document = `<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><templateId root="2.16.840.1.113883.10.20.22.1.1" extension="2015-08-01"/>
<id root="2.16.840.1.113883.19.5" extension="D-1"/><code code="34133-9" displayName="Summary"/><title>Continuity</title><effectiveTime value="20200102103000-0500"/>
<recordTarget><patientRole><id root="2.16.840.1.113883.19.5" extension="77-1"/><id root="2.16.840.1.113883.4.1" extension="123-45-6789"/>
<addr><streetAddressLine>5 Old Road</streetAddressLine><city>Salem</city><state>MA</state></addr><telecom value="tel:+1-617-253-1000"/>
<patient><name><prefix>Mr.</prefix><given>John</given><family>Smith</family></name><birthTime value="19700125"/><vendorNote>wears a hat</vendorNote></patient></patientRole></recordTarget>
<component><structuredBody><component><section><code code="1"/><text>John takes <content>Lisinopril</content> of Mary</text>
<entry><observation><value xsi:type="PQ" value="140" unit="mmol/L"/><effectiveTime value="20190505"/></observation></entry></section></component></structuredBody></component></ClinicalDocument> Mary`;
  expect(read(document, createListDetector({ NAME: ['Mary'] }))).toEqual([
    'OTHER_ID D-1',
    'DATE 20200102103000-0500',
    'MRN 77-1',
    'SSN 123-45-6789',
    'GEO 5 Old Road',
    'GEO Salem',
    'PHONE +1-617-253-1000',
    'NAME John',
    'NAME Smith',
    'DATE 19700125',
    'OTHER_ID wears a hat',
    'NAME John',
    'NAME Mary',
    'DATE 20190505',
    'NAME Mary',
  ]);
  expect(findDocuments('<?xml version="1.0"?><other><name>x</name></other>')).toEqual([]);
});

test('X12: elements by segment and qualifier; envelope, codes and payers stay', () => {
  const head = 'ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260615*0930*^*00501*000000002*0*P*:~';
  const body =
    'GS*HC*A*B*20260615*0930*2*X*005010X222A2~NM1*PR*2*BIG PAYER*****PI*123~NM1*85*2*SALEM CLINIC*****XX*1234567893~NM1*IL*1*SMITH*JOHN****MI*W77~N3*5 OLD RD~N4*SALEM*MA*01970~DMG*D8*19700125*M~REF*SY*123456789~CLM*AC-77*100***11:B:1~DTP*434*RD8*20260601-20260605~HI*ABK:E1165~SV1*HC:99213*100~NTE*ADD*SEEN WITH JOHN~';
  expect(read(head + body)).toEqual([
    'GEO SALEM CLINIC',
    'LICENSE 1234567893',
    'NAME SMITH',
    'NAME JOHN',
    'HEALTH_PLAN W77',
    'GEO 5 OLD RD',
    'GEO SALEM',
    'GEO 01970',
    'DATE 19700125',
    'SSN 123456789',
    'ACCOUNT AC-77',
    'DATE 20260601',
    'DATE 20260605',
    'NAME JOHN',
  ]);
});

test('NCPDP: fields by their codes; amounts, drugs and the head but its date stay', () => {
  const head = '610066D0B1PCN0000000101PHARM123       20260115          ';
  expect(head).toHaveLength(56);
  const fields = [
    '',
    'AM01',
    'CAJOHN',
    'CBSMITH',
    'C419700125',
    'C51',
    'CM5 OLD RD',
    'COMA',
    'CP01970',
    'CQ6172531000',
    'D700071015527',
    'FYASK JOHN',
    'QQsecret',
  ];
  expect(read(head + fields.join('\x1c'))).toEqual([
    'DATE 20260115',
    'NAME JOHN',
    'NAME SMITH',
    'DATE 19700125',
    'GEO 5 OLD RD',
    'GEO 01970',
    'PHONE 6172531000',
    'NAME JOHN',
    'OTHER_ID secret',
  ]);
});

test('several messages and prose in one text keep their places', () => {
  const text = 'Mary says {"mrn":"77-1"} and then\nPID|1||88-2^^^HOSP^MR||Smith^John\n\nand {"ssn":"1-2"} of Mary';
  expect(read(text, createListDetector({ NAME: ['Mary'] }))).toEqual(['NAME Mary', 'MRN 77-1', 'MRN 88-2', 'NAME Smith', 'NAME John', 'SSN 1-2', 'NAME Mary']);
});

test('names and numbers that are longer than any are not searched in the prose around them', () => {
  const [longest, longer] = [128, 129].map((length) => `A${'b'.repeat(length - 1)}`) as [string, string];
  const message = (name: string): string => `{"resourceType":"Patient","name":[{"family":"${name}"}],"note":"seen by ${name}"}`;
  expect(read(message(longest))).toEqual([`NAME ${longest}`, `NAME ${longest}`]);
  expect(read(message(longer))).toEqual([`NAME ${longer}`]);
});

test('a root behind a prolog is found, wherever a declaration in the prolog stands', () => {
  const root = '<ClinicalDocument><id root="1" extension="D-1"/></ClinicalDocument>';
  expect(read(`<?xml version="1.0"?>\n<!-- a - b -->\n<?xml-stylesheet href="a"?>\n${root}`)).toEqual(['OTHER_ID D-1']);
  expect(read(`<?xml?><!-- <?xml?>${root} --><other/>`)).toEqual(['OTHER_ID D-1']);
  expect(read(`<?xml?><other/><?xml?><other/><?xml?><!-- - -->${root}`)).toEqual(['OTHER_ID D-1']);
});

test('an interchange behind one without an end has its own', () => {
  const head = 'ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260615*0930*^*00501*000000002*0*P*:';
  // No `~` follows the first, and none the second; the third names a sign of its own.
  expect(read(`ST*837*1 and ST*837*2\n${head}|NM1*IL*1*SMITH*JOHN|IEA*1*000000002|`)).toEqual(['NAME SMITH', 'NAME JOHN']);
});

test('of two members with one key, the first says what the object is', () => {
  expect(read('{"resourceType":"Patient","identifier":[{"system":"http://hl7.org/fhir/sid/us-ssn","system":"b","value":"77-1"}]}')).toEqual(['SSN 77-1']);
});

describe('four times a hostile text takes about four times the time', () => {
  const pieces = [
    '[',
    '{"',
    '{"a":',
    '["',
    '{"a":"',
    '<',
    '<a ',
    '<!--',
    '<?xml',
    '<?xml?>',
    '<?xml?> <!---->',
    'MSH|^~\\&',
    'PID|',
    'ISA',
    'ST*837*',
    'ST*837*~x',
    '610066D0B1',
    '7',
    '{}',
    '\\',
    '<ClinicalDocument>',
    '[NAME-1]',
  ];
  test.each(pieces)('%j', (piece) => expectLinear(piece, 50_000, repeat(piece), (text) => findIdentifiers(text, none)));

  // A search of the rest is quick, so its square shows in long texts; what looks a bounded way ahead shows below its bound.
  test.each([
    ['ST*837*', 400_000],
    ['<?xml?>', 2_000],
  ] as const)('%j, at first %i signs', (piece, length) => expectLinear(piece, length, repeat(piece), findDocuments));

  test.each([
    ['keys of one object', (length: number) => `{"resourceType":"Patient",${Array.from({ length: length / 16 }, (_, at) => `"k${at}":"v ${at}"`).join(',')}}`],
    [
      'a name of many parts, and nearly all of it in prose',
      (length: number) => `{"resourceType":"Patient","name":[{"family":"${'a-'.repeat(length / 4)}"}],"note":"${'a-'.repeat(length / 4 - 1)}"}`,
    ],
    ['interchanges that each name an end that does not come again', (length: number) => nameEnds(length).join(' ')],
    [
      'interchanges whose ends all stand behind',
      (length: number) => {
        const heads = nameEnds(length);
        return `${heads.join('x ')}${heads.map((head) => head.at(-1)).join('')}`;
      },
    ],
  ] as const)('%s', (name, make) => expectLinear(name, 100_000, make, (text) => findIdentifiers(text, none)));
});

/** Heads of X12, each with an end of segments that no other has. */
function nameEnds(length: number): string[] {
  const head = 'ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260615*0930*^*00501*000000002*0*P*:';
  return Array.from({ length: length / head.length }, (_, at) => head + String.fromCharCode(0x4e00 + at));
}

/** Messages and patients made by others. */
const data = findTestData('messages with planted identifiers, and FHIR patients');
const folder = join(data ?? '', 'data/deid');

interface Patient {
  readonly text: string;
  readonly spans: readonly { readonly start: number; readonly end: number; readonly type: string }[];
}

if (data !== undefined) {
  for (const name of readdirSync(join(folder, 'marker-fixtures')))
    test(`no marker survives in ${name}, with fields and codes alone`, () => {
      const text = readFileSync(join(folder, 'marker-fixtures', name), 'utf8');
      for (const actions of ['tag', 'generalize', 'remove'] as const) {
        const { text: out } = deidentify(text, { detector: createListDetector({}), actions });
        expect(out.match(/ZZ[A-Z0-9]+/g)).toBeNull();
        if (name.endsWith('.json')) expect(() => JSON.parse(out)).not.toThrow();
        expect(deidentify(out, { detector: createListDetector({}), actions }).text).toBe(out);
      }
      const { text: out, mapping } = deidentify(text, { detector: createListDetector({}) });
      expect(restore(out, mapping)).toBe(text);
    });

  test('of FHIR patients, 98 of 100 identifiers go by the standard alone, and nothing that is none', () => {
    const [found, all] = [new Set<string>(), new Set<string>()];
    for (const [index, line] of readFileSync(join(folder, 'fhir-patients.dev.jsonl'), 'utf8').trim().split('\n').entries()) {
      const { text, spans }: Patient = JSON.parse(line);
      const { text: out, spans: own, mapping } = deidentify(text, { detector: createListDetector({}) });
      for (const { start, end } of spans.filter(({ type }) => type !== 'none')) {
        all.add(`${index}:${start}`);
        if (own.some((span) => span.start <= start && span.end >= end)) found.add(`${index}:${start}`);
      }
      for (const span of own) expect(spans.some(({ start, end }) => start < span.end && span.start < end)).toBe(true);
      expect(restore(out, mapping)).toBe(text);
      expect(() => JSON.parse(out)).not.toThrow();
    }
    expect(found.size / all.size).toBeGreaterThanOrEqual(0.98);
  });
}
