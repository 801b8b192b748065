/** What an agreement may say: tables of good and bad, and files that go bad in any way. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Agreement,
  type AgreementField,
  beginOf,
  clauses,
  endOf,
  expectedFields,
  findBrokenRule,
  fitsField,
  readAgreement,
} from '../../../server/privacy/agreement.ts';
import { canonicalize, readEnvelope, verifyEnvelope, writeEnvelope } from '../../../server/privacy/envelope.ts';
import { SiteError } from '../../../server/privacy/errors.ts';
import { purposes } from '../../../server/privacy/words.ts';
import { baa, createSigner, dayMs, selfOperated, signed, synthetic, wrap } from './records.ts';

type Change = { readonly [name in AgreementField]?: unknown } & Readonly<Record<string, unknown>>;

/** The base with fields changed; undefined takes one away, as JSON does. */
const change = (base: Agreement, fields: Change): Record<string, unknown> => JSON.parse(JSON.stringify({ ...base, ...fields }));
const read = (base: Agreement, fields: Change): Agreement => readAgreement(wrap(change(base, fields)));

function refusal(base: Agreement, fields: Change): string {
  try {
    read(base, fields);
  } catch (error) {
    expect(error).toBeInstanceOf(SiteError);
    return (error as SiteError).message;
  }
  throw new Error('nothing was refused');
}

const sequence = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));
const person = selfOperated.signatories[0];
const host = baa.associates[0];
const helper = baa.subcontractors[0];

const good: readonly (readonly [string, Agreement, Change])[] = [
  ['self-operated', selfOperated, {}],
  ['self-operated with a document', selfOperated, { documentSha256: '0f'.repeat(32) }],
  ['self-operated with departments, hosts and Part 2', selfOperated, { tenants: ['cardiology', 'icu-2'], hosts: ['0f'.repeat(32)], part2: true }],
  ['self-operated, evergreen', selfOperated, { expires: undefined, review: '2027-11-24' }],
  ['reviewed on the day when it begins', selfOperated, { expires: undefined, review: '2026-11-24' }],
  ['one second long', selfOperated, { expires: '2026-11-24T00:00:01Z' }],
  ['on a leap day', selfOperated, { expires: '2028-02-29T23:59:59Z' }],
  ['superseding', selfOperated, { supersedes: 'agr-00000000' }],
  ['ids of the shortest and longest form', selfOperated, { id: 'agr-12345678', supersedes: `agr-${'z'.repeat(32)}` }],
  ['every real purpose', selfOperated, { purposes: purposes.filter((purpose) => purpose !== 'evaluation') }],
  ['a name of 120 letters', selfOperated, { coveredEntity: { name: 'H'.repeat(120), id: '1' } }],
  ['a code of 40 letters', selfOperated, { tenants: ['c'.repeat(40)] }],
  [
    '256 departments, 32 regions, 256 hosts',
    selfOperated,
    {
      tenants: sequence(256, (i) => `d${i}`),
      regions: sequence(32, (i) => `us-${i}`),
      hosts: sequence(256, (i) => String(i).padStart(64, '0')),
    },
  ],
  ['hours at both bounds', selfOperated, { breachReportHours: 1 }],
  ['hours at both bounds', selfOperated, { breachReportHours: 1440 }],
  ['baa', baa, {}],
  ['baa without subcontractors', baa, { subcontractors: [] }],
  [
    'baa with 16 associates and signatories, 64 subcontractors',
    baa,
    {
      associates: sequence(16, (i) => ({ ...host, id: `h ${i}` })),
      signatories: sequence(16, (i) => ({ ...person, name: `P ${i}` })),
      subcontractors: sequence(64, (i) => ({ ...helper, id: `s ${i}` })),
    },
  ],
  ['an associate in two roles', baa, { associates: [host, { ...host, role: 'support' }] }],
  ['clauses in another order', baa, { clauses: [...clauses].reverse() }],
  ['synthetic', synthetic, {}],
  ['synthetic with a signatory', synthetic, { signatories: [person] }],
  ['synthetic of one day', synthetic, { expires: '2026-11-25T00:00:00Z' }],
];

test.each(good)('good: %s', (_name, base, fields) => {
  expect(read(base, fields)).toEqual(change(base, fields));
});

/** What is wrong, and the field that the sentence must name. */
const forms: readonly (readonly [AgreementField, readonly unknown[]])[] = [
  ['id', ['', 'agr-1234567', `agr-${'z'.repeat(33)}`, 'agr-ABCDEFGH', 'agr-1234 678', 'xyz-12345678', 'agr-12345678\n', 12345678, null]],
  ['kind', ['', 'BAA', 'other', ['baa'], null]],
  [
    'coveredEntity',
    [
      { name: 'A' },
      { id: '1' },
      { name: '', id: '1' },
      { name: 'A', id: '' },
      { name: 'H'.repeat(121), id: '1' },
      { name: ' A', id: '1' },
      { name: 'A\u202eB', id: '1' },
      { name: 'A\nB', id: '1' },
      { name: 'A; B', id: '1' },
      'A',
      [],
      null,
    ],
  ],
  [
    'effective',
    [
      '',
      '2026-11-24',
      '2026-11-24T00:00:00',
      '2026-11-24T00:00:00.000Z',
      '2026-11-24T00:00:00+00:00',
      '2026-11-24t00:00:00z',
      '2026-02-30T00:00:00Z',
      '2026-13-01T00:00:00Z',
      '2027-02-29T00:00:00Z',
      '2026-11-24T24:00:00Z',
      '2026-11-24T12:60:00Z',
      '2026-11-24T00:00:60Z',
      '1999-11-24T00:00:00Z',
      '+02026-11-24T00:00:00Z',
      '2026-11-24 00:00:00Z',
      1_764_000_000_000,
      null,
    ],
  ],
  ['expires', ['', '2027-11-24', '2027-04-31T00:00:00Z', '2200-01-01T00:00:00Z', false]],
  ['review', ['', '2027-11-24T00:00:00Z', '2027-02-29', '2027-2-1', '2027-11-24Z', 'soon']],
  ['documentSha256', ['', 'ab'.repeat(31), 'AB'.repeat(32), 'ab'.repeat(33), `${'ab'.repeat(31)}zz`]],
  ['purposes', [[], ['other'], ['messaging', 'messaging'], 'messaging', [null]]],
  ['tenants', [['Cardiology'], ['a b'], ['a', 'a'], ['c'.repeat(41)], sequence(257, (i) => `d${i}`), 'all', {}]],
  ['regions', [[], ['US'], ['us-east', 'us-east'], sequence(33, (i) => `us-${i}`), 'us-east']],
  ['hosts', [['host-1'], ['ab'.repeat(32), 'ab'.repeat(32)], sequence(257, (i) => String(i).padStart(64, '0'))]],
  ['clauses', [['other'], ['safeguards', 'safeguards'], 'all']],
  ['breachReportHours', [0, -1, 1441, 1.5, '24', null]],
  ['termination', ['', 'keep', ['return'], null]],
  ['part2', ['false', 0, null]],
  ['supersedes', ['', 'none', 'agr-1', null]],
  [
    'associates',
    [
      [{ ...host, role: 'owner' }],
      [{ ...host, name: '' }],
      [{ name: 'A', id: '1' }],
      [host, host],
      [{ role: 'host', id: host?.id, name: host?.name }, host],
      sequence(17, (i) => ({ ...host, id: `h ${i}` })),
      {},
      [[]],
    ],
  ],
  ['subcontractors', [[{ ...helper, agreement: 'none' }], [helper, helper], sequence(65, (i) => ({ ...helper, id: `s ${i}` }))]],
  [
    'signatories',
    [
      [{ ...person, date: '2026-02-30' }],
      [{ ...person, date: '2026-11-24T00:00:00Z' }],
      [{ ...person, title: '' }],
      [person, person],
      sequence(17, (i) => ({ ...person, name: `P ${i}` })),
    ],
  ],
];

test('the table of bad forms has every field', () => {
  expect(forms.map(([field]) => field).sort()).toEqual(Object.keys(expectedFields).sort());
});

describe.each(forms)('bad form: %s', (field, values) => {
  test.each(values)('%j', (value) => {
    const message = refusal(baa, { [field]: value });
    expect(message).toContain(`the field "${field}`);
    expect(message).toContain(expectedFields[field]);
    expect(fitsField(field, value)).toBe(false);
  });
});

test.each(Object.keys(expectedFields) as AgreementField[])('without %s', (field) => {
  const isOptional = ['expires', 'review', 'documentSha256', 'supersedes'].includes(field);
  if (isOptional) return expect(fitsField(field, undefined)).toBe(true);
  expect(refusal(baa, { [field]: undefined })).toContain(`the field "${field}" is missing or of another form`);
});

test('fields that are not known, at every place, are refused without their names', () => {
  for (const fields of [
    { secretNote: 'x' },
    { coveredEntity: { ...baa.coveredEntity, secretNote: 'x' } },
    { associates: [{ ...host, secretNote: 'x' }] },
    { subcontractors: [{ ...helper, secretNote: 'x' }] },
    { signatories: [person, { ...person, name: 'B', secretNote: 'x' }] },
  ]) {
    const message = refusal(baa, fields);
    expect(message).toContain('has a field that is not known');
    expect(message).not.toContain('secretNote');
  }
});

test('no sentence has a value of the record', () => {
  const marker = 'Zebra77';
  for (const field of Object.keys(expectedFields) as AgreementField[]) {
    for (const value of [`;${marker}`, [`;${marker}`], { [marker]: marker }, [{ [marker]: marker }]])
      expect(refusal(baa, { [field]: value }), field).not.toContain(marker);
  }
  expect(refusal(baa, { coveredEntity: { name: `;${marker}`, id: '1' } })).not.toContain(marker);
});

/** Each is good but for one rule across fields. */
const rules: readonly (readonly [string, Agreement, Change, AgreementField, string])[] = [
  ['neither an end nor a review', selfOperated, { expires: undefined }, 'review', 'or the field "expires" must be there'],
  ['an end and a review', selfOperated, { review: '2027-11-24' }, 'review', 'must not be there both'],
  ['ends when it begins', selfOperated, { expires: selfOperated.effective }, 'expires', 'later than "effective"'],
  ['ends before it begins', selfOperated, { expires: '2026-11-23T23:59:59Z' }, 'expires', 'later than "effective"'],
  ['reviewed before it begins', selfOperated, { expires: undefined, review: '2026-11-23' }, 'review', 'must not be before'],
  ['supersedes itself', selfOperated, { supersedes: selfOperated.id }, 'supersedes', 'must name another'],
  ['self-operated with an associate', selfOperated, { associates: [host] }, 'associates', 'must be empty'],
  ['self-operated with a subcontractor', selfOperated, { subcontractors: [helper] }, 'subcontractors', 'must be empty'],
  ['self-operated without a signatory', selfOperated, { signatories: [] }, 'signatories', 'somebody who signed'],
  ['self-operated for evaluation', selfOperated, { purposes: ['evaluation', 'messaging'] }, 'purposes', 'must not have evaluation'],
  ['baa without an associate', baa, { associates: [] }, 'associates', 'at least one'],
  ['baa of an entity with itself', baa, { associates: [{ ...host, id: baa.coveredEntity.id }] }, 'associates', 'covered entity itself'],
  ['baa signed by one side', baa, { signatories: [person] }, 'signatories', 'at least two'],
  ['baa signed by one person twice', baa, { signatories: [person, { ...person, title: 'Chief Executive' }] }, 'signatories', 'at least two'],
  ['baa without a signature', baa, { signatories: [] }, 'signatories', 'at least two'],
  ...clauses.map(
    (missing) => [`baa without ${missing}`, baa, { clauses: clauses.filter((clause) => clause !== missing) }, 'clauses', 'must have all 10'] as const,
  ),
  ['baa without its document', baa, { documentSha256: undefined }, 'documentSha256', 'must be there'],
  ['baa for evaluation', baa, { purposes: ['evaluation'] }, 'purposes', 'must not have evaluation'],
  ['synthetic with an associate', synthetic, { associates: [host] }, 'associates', 'must be empty'],
  ['synthetic with a subcontractor', synthetic, { subcontractors: [helper] }, 'subcontractors', 'must be empty'],
  ['synthetic with a document', synthetic, { documentSha256: '0f'.repeat(32) }, 'documentSha256', 'must not be there'],
  ['synthetic for more than evaluation', synthetic, { purposes: ['evaluation', 'messaging'] }, 'purposes', 'evaluation and nothing else'],
  ['synthetic for documentation', synthetic, { purposes: ['documentation'] }, 'purposes', 'evaluation and nothing else'],
  ['synthetic, a second longer than 30 days', synthetic, { expires: '2026-12-24T00:00:01Z' }, 'expires', 'within 30 days'],
  ['synthetic, evergreen', synthetic, { expires: undefined, review: '2026-12-01' }, 'expires', 'within 30 days'],
];

test.each(rules)('against the rules: %s', (_name, base, fields, field, rule) => {
  const message = refusal(base, fields);
  expect(message).toMatch(new RegExp(`^The agreement cannot be used: the field "${field}" .*\\.$`));
  expect(message).toContain(rule);
  expect(message).not.toMatch(/Mary|Roe|Hosting|12-3456789|2026-1/);
  expect(findBrokenRule(field, change(base, fields) as Partial<Agreement>)).toContain(rule);
  expect(findBrokenRule(field, base)).toBeUndefined();
});

test('a manifest is no agreement', () => {
  expect(() => readAgreement(wrap(selfOperated, 'inward.manifest.v1'))).toThrow('expected an agreement (inward.agreement.v1), found inward.manifest.v1');
});

test('begin and end: to the second, a day of review to its last moment', () => {
  expect(beginOf(selfOperated)).toBe(Date.UTC(2026, 10, 24));
  expect(endOf(selfOperated)).toBe(Date.UTC(2027, 10, 24));
  const evergreen = read(selfOperated, { expires: undefined, review: '2027-02-28' });
  expect(endOf(evergreen)).toBe(Date.UTC(2027, 2, 1));
  expect(endOf(synthetic) - beginOf(synthetic)).toBe(30 * dayMs);
});

/** Any value at any place of a record. */
const anything = fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withMap: true, maxDepth: 2 });
test('whatever a field holds: a sentence, or the record as it was', () => {
  const fields = Object.keys(expectedFields) as AgreementField[];
  fc.assert(
    fc.property(fc.constantFrom(selfOperated, baa, synthetic), fc.constantFrom(...fields), anything, (base, field, value) => {
      const record = { ...base, [field]: value };
      try {
        expect(readAgreement({ type: 'inward.agreement.v1', record, signatures: [] })).toEqual(record);
      } catch (error) {
        if (!(error instanceof SiteError)) throw error;
        expect(error.message).toMatch(/^The agreement cannot be used: /);
      }
    }),
    { seed: 17, numRuns: 2000 },
  );
});

test('a signed file whose bytes are changed is refused, or says the same', () => {
  const signer = createSigner();
  const trusted = new Map([[signer.trusted.id, signer.trusted.pem]]);
  const original = Buffer.from(writeEnvelope(signed(baa, signer)));
  const said = canonicalize({ ...baa });
  let opened = 0;
  fc.assert(
    fc.property(fc.nat(original.length - 1), fc.nat(3), fc.uint8Array({ maxLength: 4 }), (at, cut, put) => {
      try {
        const envelope = readEnvelope(Buffer.concat([original.subarray(0, at), put, original.subarray(at + cut)]), 'The file');
        verifyEnvelope(envelope, trusted, 1, 'The record');
        expect(canonicalize({ ...readAgreement(envelope) })).toBe(said);
        opened++;
      } catch (error) {
        if (!(error instanceof SiteError)) throw error;
      }
    }),
    { seed: 19, numRuns: 4000 },
  );
  expect(opened).toBeGreaterThan(0);
});
