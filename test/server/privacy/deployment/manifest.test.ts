/** What a manifest may say, and what it is refused for. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Manifest, readManifest } from '../../../../server/privacy/deployment/manifest.ts';
import type { Envelope } from '../../../../server/privacy/envelope.ts';
import { SiteError } from '../../../../server/privacy/errors.ts';
import { createManifest } from './sample-manifest.ts';

const read = (record: unknown): Manifest => readManifest({ type: 'inward.manifest.v1', record: record as Envelope['record'], signatures: [] });
const manifest = createManifest();

test('what is well formed is read as it is', () => {
  expect(read(manifest)).toEqual(manifest);
  expect(read(structuredClone({ ...manifest, devices: [], weights: [], outbound: [] }))).toEqual({ ...manifest, devices: [], weights: [], outbound: [] });
});

test('another record is refused', () => {
  expect(() => readManifest({ type: 'inward.agreement.v1', record: { ...manifest }, signatures: [] })).toThrow(
    'The record is no deployment manifest: expected inward.manifest.v1, found inward.agreement.v1.',
  );
});

const [gpu, software] = [manifest.devices[0], { address: 'software', vendor: '0000', model: 'lavapipe' }];
const hash = 'ab'.repeat(32);
const file = { name: 'model.gguf', sha256: hash };

test.each<readonly [field: keyof Manifest, rule: string, values: readonly unknown[]]>([
  ['id', 'must be mf-', ['mf-short', 'mf-UPPERCASE1', `mf-${'a'.repeat(33)}`, 'agr-abcdefgh', 'mf-abcdefgh\n', 7]],
  ['site', 'must be the code of a site', ['', 'North', 'a b', 'a-', `a${'b'.repeat(40)}`]],
  ['region', 'must be the code of a region', ['', 'US-EAST', 'us_east']],
  ['host', 'must be the SHA-256 of a host', [hash.toUpperCase(), hash.slice(1), `${hash}0`]],
  [
    'devices',
    'must be a list of at most 64 devices',
    [
      null,
      gpu,
      [gpu, gpu],
      Array.from({ length: 65 }, (_, bus) => ({ ...gpu, address: `0000:${bus.toString(16).padStart(2, '0')}:00.0` })),
      [{ ...gpu, address: 'c1:00.0' }],
      [{ ...gpu, address: '0000:c1:00.8' }],
      [{ ...gpu, vendor: '0x10de' }],
      [{ ...gpu, model: 'lavapipe' }],
      [{ ...gpu, serial: 'any text' }],
      [{ ...gpu, serial: 'GPU-????????-????-????-????-????????????' }],
      [{ ...gpu, note: '' }],
      [{ ...software, model: 'other' }],
      [{ ...software, vendor: '10de' }],
      [{ ...software, serial: 'a1b2c3d4e5f60718' }],
    ],
  ],
  ['software', "must be the SHA-256 of the program's files", ['', hash.slice(2)]],
  [
    'weights',
    'must be a list of at most 512 files',
    [
      file,
      [file, { ...file, sha256: 'cd'.repeat(32) }],
      Array.from({ length: 513 }, (_, index) => ({ ...file, name: `part-${index}` })),
      [{ ...file, name: '../model.gguf' }],
      [{ ...file, name: '.hidden' }],
      [{ ...file, name: 'a/b/c.json' }],
      [{ ...file, name: 'a name with blanks' }],
      [{ ...file, name: 'a'.repeat(121) }],
      [{ ...file, sha256: '' }],
      [{ ...file, size: 1 }],
    ],
  ],
  ['agreement', 'must be the id of an agreement', ['agr-', 'mf-abcdefgh']],
  [
    'outbound',
    'must be a list of at most 64 destinations',
    [
      ['siem.example.org'],
      ['siem.example.org:0'],
      ['siem.example.org:65536'],
      ['siem.example.org:06514'],
      ['SIEM.example.org:6514'],
      ['https://siem.example.org:6514'],
      ['user@siem.example.org:6514'],
      ['siem.example.org:6514/path'],
      ['[::1]'],
      ['[::g]:80'],
      ['[0:0:0:0:0:0:0:1]:80'],
      ['10.0.0.256:80'],
      ['10.1:80'],
      ['169.254.169.254:80'],
      // The same address in other spellings.
      ['2852039166:80'],
      ['0xa9fea9fe:80'],
      ['0251.0376.0251.0376:80'],
      ['[::ffff:a9fe:a9fe]:80'],
      ['[::ffff:a00:1]:80'],
      ['[64:ff9b::a9fe:a9fe]:80'],
      ['[::a9fe:a9fe]:80'],
      // Others of its network: AWS has the credentials of containers at .170.2.
      ['169.254.170.2:80'],
      ['100.100.100.200:80'],
      ['168.63.129.16:80'],
      ['metadata:80'],
      ['metadata.goog:80'],
      ['instance-data:80'],
      ['[fd20:ce::254]:80'],
      ['[fd00:ec2::254]:80'],
      ['[fd00:ec2:0::254]:80'],
      ['metadata.google.internal:80'],
      ['a.example.org:1', 'a.example.org:1'],
      Array.from({ length: 65 }, (_, index) => `a.example.org:${index + 1}`),
    ],
  ],
  [
    'issued',
    'must be a time in UTC',
    ['2026-11-24', '2026-11-24T00:00:00.000Z', '2026-11-24T00:00:00+00:00', '2026-02-30T00:00:00Z', '2026-11-24T24:00:00Z', 0],
  ],
])('%s %s', (field, rule, values) => {
  for (const value of values) expect(() => read({ ...manifest, [field]: value }), JSON.stringify(value)).toThrow(`its field ${field} ${rule}`);
  const { [field]: _, ...rest } = manifest;
  expect(() => read(rest)).toThrow(`its field ${field} ${rule}`);
});

test('destinations in their one form', () => {
  const outbound = ['siem.example.org:6514', 'localhost:9', '10.0.0.1:65535', '[2001:db8::1]:443', '[::1]:443', '169.253.0.1:80', 'xn--bcher-kva.example:443'];
  expect(read({ ...manifest, outbound }).outbound).toEqual(outbound);
});

test('unknown fields are refused without being repeated', () => {
  const marker = 'Patient Doe';
  expect(() => read({ ...manifest, [marker]: 1 })).toThrow('The manifest has a field that manifests do not have; expected only id, site, region,');
  for (const record of [
    { ...manifest, [marker]: 1 },
    { ...manifest, devices: [{ ...gpu, [marker]: 1 }] },
    { ...manifest, site: marker },
  ]) {
    expect(messageOf(record)).not.toContain(marker);
  }
});

test('whatever stands in a record, there is a manifest or one sentence', () => {
  const records = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.tuple(fc.constantFrom(...Object.keys(manifest)), fc.jsonValue()).map(([field, value]) => ({ ...manifest, [field]: value })),
    fc.dictionary(fc.constantFrom(...Object.keys(manifest), '__proto__', 'constructor'), fc.jsonValue({ maxDepth: 2 })),
  );
  fc.assert(
    fc.property(records, (record) => {
      const message = messageOf(record);
      if (message === undefined) expect(read(record)).toEqual(record);
      else expect(message).toMatch(/^The manifest [^\n]*\.$/);
    }),
    { numRuns: 1000, seed: 11 },
  );
});

test('one letter more, less or other in any text', () => {
  const text = JSON.stringify(manifest);
  let accepted = 0;
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('', 'x', '0', '"', ' ', '\u202e'), fc.boolean(), (at, letter, isInserted) => {
      let record: unknown;
      try {
        record = JSON.parse(text.slice(0, at) + letter + text.slice(isInserted ? at : at + 1));
      } catch {
        return;
      }
      const message = messageOf(record);
      if (message === undefined) accepted++;
      else expect(message).not.toContain('\u202e');
    }),
    { numRuns: 1000, seed: 12 },
  );
  expect(accepted).toBeGreaterThan(0);
});

/** The sentence; undefined where the record is taken. Any other error than a SiteError goes on. */
function messageOf(record: unknown): string | undefined {
  try {
    read(record);
    return undefined;
  } catch (error) {
    if (error instanceof SiteError) return error.message;
    throw error;
  }
}
