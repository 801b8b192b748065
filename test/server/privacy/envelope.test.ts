/** Signed records: the canonical form by RFC 8785, signatures that hold for one text only, and files that are strict. */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  canonicalize,
  type Envelope,
  envelopeLimit,
  hashRecord,
  readEnvelope,
  readPrivateKey,
  readPublicKey,
  signEnvelope,
  verifyEnvelope,
  writeEnvelope,
} from '../../../server/privacy/envelope.ts';
import { SiteError } from '../../../server/privacy/errors.ts';
import { createSigner, selfOperated, signed, wrap } from './records.ts';

const [first, second, stranger] = [createSigner(), createSigner(), createSigner()];
const trusted = new Map([first, second].map((signer) => [signer.trusted.id, signer.trusted.pem]));
const good = signed(selfOperated, first);
const verify = (envelope: Envelope, needed = 1): void => verifyEnvelope(envelope, trusted, needed, 'The record');
const read = (text: string): Envelope => readEnvelope(Buffer.from(text), 'The file');
const [signature] = good.signatures;
const withSignature = (value: string): Envelope => ({ ...good, signatures: [{ key: first.trusted.id, value }] });

// RFC 8785, 3.2.3: property names in the order of their UTF-16 code units, so that a surrogate pair comes before U+FB33.
test('canonical form: the order of RFC 8785, section 3.2.3', () => {
  const value = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  };
  const values = Object.values(
    JSON.parse(
      `[${canonicalize(value)
        .match(/:"[^"]*"/g)
        ?.map((text) => text.slice(1))}]`,
    ),
  );
  expect(values).toEqual([
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ]);
});

// Section 3.2.2.2: \b \t \n \f \r, \u00xx in small digits for the other control characters, \\ and \"; all else as it is.
test('canonical form: the string of RFC 8785, section 3.2.2', () => {
  expect(canonicalize({ string: '\u20ac$\u000f\nA\'B"\\\\"/' })).toBe('{"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}');
  expect(canonicalize('\b\t\n\f\r\u0000\u001f\u007f\u2028</')).toBe('"\\b\\t\\n\\f\\r\\u0000\\u001f\u007f\u2028</"');
});

test('canonical form: no blanks, sorted at every depth, lists in their order', () => {
  expect(canonicalize({ b: [3, 1, { z: true, a: false }], a: {}, c: [], left: undefined })).toBe('{"a":{},"b":[3,1,{"a":false,"z":true}],"c":[]}');
  expect(canonicalize([0, -0, -7, Number.MAX_SAFE_INTEGER])).toBe('[0,0,-7,9007199254740991]');
});

test.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, null, undefined, 'half a pair \ud83d', '\ude00', { '\ud83d': 1 }, [null], 1n, () => 1])(
  'canonical form: %o is refused',
  (value) => {
    expect(() => canonicalize(value)).toThrow(SiteError);
    expect(() => canonicalize({ deep: [value] })).toThrow(SiteError);
  },
);

test('canonical form: does not depend on the order in which fields came, and reads back as the same', () => {
  const leaf = fc.oneof(fc.string({ unit: 'binary' }), fc.boolean(), fc.maxSafeInteger());
  const json = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).value;
  const turn = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(turn);
    return typeof value === 'object' && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .reverse()
            .map(([key, entry]) => [key, turn(entry)]),
        )
      : value;
  };
  fc.assert(
    fc.property(json, (value) => {
      const text = canonicalize(value);
      expect(canonicalize(turn(value))).toBe(text);
      expect(canonicalize(JSON.parse(text))).toBe(text);
    }),
    { seed: 7, numRuns: 300 },
  );
});

test('a signed record verifies, also after it was written and read', () => {
  verify(good);
  const back = readEnvelope(Buffer.from(writeEnvelope(good)), 'The file');
  expect(back).toEqual(good);
  verify(back);
});

test('every single bit of a signature counts', () => {
  const bytes = Buffer.from(signature?.value ?? '', 'base64');
  expect(bytes).toHaveLength(64);
  for (let bit = 0; bit < 512; bit++) {
    const turned = Buffer.from(bytes);
    turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => verify(withSignature(turned.toString('base64'))), `bit ${bit}`).toThrow(SiteError);
  }
});

// RFC 8032, 5.1.7: S must be below the order of the group, else a signature would have a twin.
test('the twin of a signature is refused', () => {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const bytes = Buffer.from(signature?.value ?? '', 'base64');
  let scalar = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order;
  for (let i = 32; i < 64; i++, scalar >>= 8n) bytes[i] = Number(scalar & 255n);
  expect(() => verify(withSignature(bytes.toString('base64')))).toThrow('does not fit');
});

test('a change of any field breaks the signature', () => {
  const changes: Record<string, unknown> = {
    id: 'agr-00000009',
    kind: 'baa',
    coveredEntity: { ...selfOperated.coveredEntity, id: '12-3456780' },
    associates: [{}],
    subcontractors: [{}],
    signatories: [],
    effective: '2026-11-23T00:00:00Z',
    expires: '2028-11-24T00:00:00Z',
    purposes: ['messaging', 'documentation'],
    tenants: ['cardiology'],
    regions: ['us-west'],
    hosts: ['00'],
    clauses: ['safeguards'],
    breachReportHours: 25,
    termination: 'return',
    part2: true,
  };
  expect(Object.keys(changes).sort()).toEqual(Object.keys(selfOperated).sort());
  for (const [field, value] of Object.entries(changes)) {
    expect(() => verify({ ...good, record: { ...good.record, [field]: value } }), field).toThrow('does not fit');
    const { [field]: _, ...without } = good.record;
    expect(() => verify({ ...good, record: without }), field).toThrow('does not fit');
  }
  expect(() => verify({ ...good, record: { ...good.record, more: true } })).toThrow('does not fit');
});

test('a record of one type does not pass for another', () => {
  expect(() => verify({ ...good, type: 'inward.manifest.v1' })).toThrow('does not fit');
  expect(hashRecord(good)).not.toBe(hashRecord({ ...good, type: 'inward.manifest.v1' }));
});

test('keys: one that is not trusted, another trusted one, the same twice', () => {
  expect(() => verify(signed(selfOperated, stranger))).toThrow('not a trusted key');
  // One signature that counts does not carry one that does not.
  expect(() => verify(signed(selfOperated, first, stranger))).toThrow('not a trusted key');
  expect(() => verify({ ...good, signatures: [{ key: second.trusted.id, value: signature?.value ?? '' }] })).toThrow('does not fit');
  expect(() => verify({ ...good, signatures: [...good.signatures, ...good.signatures] })).toThrow('twice');
});

test('two people: one is not enough, the same one twice neither, two are, and so are two where one is needed', () => {
  expect(() => verify(wrap(selfOperated))).toThrow('needs 1 signature; found 0');
  expect(() => verify(good, 2)).toThrow('needs 2 signatures of different keys; found 1');
  expect(() => verify({ ...good, signatures: [...good.signatures, ...good.signatures] }, 2)).toThrow(SiteError);
  const both = signed(selfOperated, first, second);
  verify(both, 2);
  verify(both, 1);
});

test('signing again replaces the own signature', () => {
  const again = signEnvelope(signed(selfOperated, first, second), first.privateKey);
  expect(again.signatures.map(({ key }) => key)).toEqual([second.trusted.id, first.trusted.id]);
  verify(again, 2);
});

const text = writeEnvelope(good);
const refused: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['no JSON', 'agreement'],
  ['a cut file', text.slice(0, -4)],
  ['a byte order mark', `\ufeff${text}`],
  ['a list', `[${text}]`],
  ['a field twice', text.replace('"kind":', '"kind": "synthetic", "kind":')],
  ['a field twice, once escaped', text.replace('"kind":', '"k\\u0069nd": "synthetic", "kind":')],
  ['a record twice', text.replace('"record":', '"record": {}, "record":')],
  ['a signature list twice', text.replace('"signatures":', '"signatures": [], "signatures":')],
  ['a field that is not known', text.replace('"type":', '"note": "x", "type":')],
  ['a field of a prototype', text.replace('"kind":', '"__proto__": {"part2": true}, "kind":')],
  ['a field in a signature', text.replace('"key":', '"by": "x", "key":')],
  ['another type', text.replace('inward.agreement.v1', 'inward.agreement.v2')],
  ['no type', text.replace(/"type".*\n/, '')],
  ['no signature list', text.replace(/,\s*"signatures".*\]/s, '')],
  ['a key id of another form', text.replace('"ck-', '"CK-')],
  ['seventeen levels', text.replace('"associates": []', `"associates": ${'['.repeat(15)}${']'.repeat(15)}`)],
];
test.each(refused)('a file with %s is refused, without a word of it', (_name, changed) => {
  expect(changed).not.toBe(text);
  let message = '';
  try {
    read(changed);
  } catch (error) {
    expect(error).toBeInstanceOf(SiteError);
    message = (error as SiteError).message;
  }
  expect(message).toMatch(/^The file .*\.$/);
  expect(message).not.toMatch(/Mary|synthetic|part2|agr-/);
});

test('other ways to write the same signature in base64', () => {
  const value = signature?.value ?? '';
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const last = letters.indexOf(value[85] ?? '');
  // 64 bytes fill two of the six bits of the last letter; the other four must be 0.
  expect(last % 16).toBe(0);
  const others = [
    ...Array.from({ length: 15 }, (_, i) => `${value.slice(0, 85)}${letters[last + i + 1]}==`),
    value.replaceAll('=', ''),
    `${value}=`,
    ` ${value}`,
    `${value.slice(0, 40)}\n${value.slice(40)}`,
    `${value.slice(0, 85)}===`,
  ];
  for (const other of others) {
    expect(() => read(JSON.stringify(withSignature(other))), other).toThrow(SiteError);
  }
  // The letters of base64url stand for the same bits.
  expect(() => read(JSON.stringify(withSignature(`-_${value.slice(2)}`)))).toThrow(SiteError);
});

test('bounds: as large as permitted, larger, too many signatures', () => {
  const blanks = (length: number): Buffer => Buffer.from(text.padEnd(length));
  expect(readEnvelope(blanks(envelopeLimit), 'The file')).toEqual(good);
  expect(() => readEnvelope(blanks(envelopeLimit + 1), 'The file')).toThrow('at most 262144 bytes, found 262145');
  const many = (count: number): string =>
    JSON.stringify({ ...good, signatures: Array.from({ length: count }, (_, i) => ({ ...signature, key: `ck-${String(i).padStart(16, '0')}` })) });
  expect(read(many(8)).signatures).toHaveLength(8);
  expect(() => read(many(9))).toThrow(SiteError);
});

test('bytes that are no UTF-8 are refused', () => {
  const bytes = Buffer.from(text);
  bytes[bytes.indexOf('Mary')] = 0xff;
  expect(() => readEnvelope(bytes, 'The file')).toThrow('no UTF-8');
});

test('keys in PEM: what is no Ed25519 key, and a private one where a public one is wanted', () => {
  const exportKeys = ({ publicKey, privateKey }: Pick<ReturnType<typeof generateKeyPairSync>, 'publicKey' | 'privateKey'>): readonly [string, string] => [
    publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  ];
  const [publicPem, privatePem] = exportKeys(generateKeyPairSync('ed25519'));
  const others = [
    exportKeys(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
    exportKeys(generateKeyPairSync('x25519')),
    exportKeys(generateKeyPairSync('ed448')),
  ];
  expect(readPublicKey(publicPem, 'The file')).toEqual({ id: expect.stringMatching(/^ck-[0-9a-f]{16}$/), pem: publicPem });
  expect(readPrivateKey(privatePem, undefined, 'The file').type).toBe('private');
  for (const [otherPublic, otherPrivate] of others) {
    expect(() => readPublicKey(otherPublic, 'The file')).toThrow('expected Ed25519');
    expect(() => readPrivateKey(otherPrivate, undefined, 'The file')).toThrow('expected Ed25519');
  }
  for (const wrong of ['', 'text', publicPem.slice(0, 60), privatePem]) expect(() => readPublicKey(wrong, 'The file')).toThrow(SiteError);
  for (const wrong of ['', 'text', privatePem.slice(0, 60), publicPem]) expect(() => readPrivateKey(wrong, undefined, 'The file')).toThrow(SiteError);
});

test('a private key with a passphrase opens with that one only, and never asks', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'correct horse battery' }).toString();
  expect(readPrivateKey(pem, 'correct horse battery', 'The file').equals(privateKey)).toBe(true);
  for (const wrong of [undefined, '', 'correct horse batter', 'correct horse battery ']) {
    expect(() => readPrivateKey(pem, wrong, 'The file')).toThrow('The file cannot be opened');
  }
});

/** One of the ways in which a file goes bad. */
const mutation = fc.tuple(fc.constantFrom('flip', 'cut', 'insert', 'splice', 'swap'), fc.nat(), fc.nat(), fc.nat(255));
function mutate(bytes: Buffer, [way, a, b, value]: readonly [string, number, number, number]): Buffer {
  const [from, to] = [a % (bytes.length + 1), b % (bytes.length + 1)].sort((x, y) => x - y) as [number, number];
  if (way === 'cut') return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  if (way === 'insert') return Buffer.concat([bytes.subarray(0, from), Buffer.of(value), bytes.subarray(from)]);
  if (way === 'splice') return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
  const copy = Buffer.from(bytes);
  if (way === 'flip' && from < copy.length) copy[from] = (copy[from] ?? 0) ^ (1 << (value & 7));
  if (way === 'swap' && to < copy.length) [copy[from], copy[to]] = [copy[to] ?? 0, copy[from] ?? 0];
  return copy;
}

function openMutant(bytes: Buffer): Envelope | undefined {
  try {
    const envelope = readEnvelope(bytes, 'The file');
    verify(envelope);
    return envelope;
  } catch (error) {
    if (error instanceof SiteError) return undefined;
    throw error;
  }
}

test('whatever happens to the bytes of a file: it is refused, or says exactly the same', () => {
  let opened = 0;
  const original = Buffer.from(text);
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
      const envelope = openMutant(mutations.reduce(mutate, original));
      if (envelope === undefined) return;
      opened++;
      expect(envelope).toEqual(good);
    }),
    { seed: 11, numRuns: 4000 },
  );
  // Blanks between the fields do not count; if nothing at all were opened, this test would say nothing.
  expect(opened).toBeGreaterThan(0);
});

test('whatever is read as JSON: no exception but the sentence', () => {
  const tree = fc.json({ maxDepth: 4 });
  fc.assert(
    fc.property(tree, fc.constantFrom('whole', 'record', 'signatures'), (json, place) => {
      const whole = place === 'whole' ? json : JSON.stringify({ ...good, [place]: JSON.parse(json) });
      openMutant(Buffer.from(whole));
    }),
    { seed: 13, numRuns: 500 },
  );
});
