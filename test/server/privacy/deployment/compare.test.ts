/** Each difference between a manifest and what is found gives one sentence, and none gives none. */
import { expect, test } from 'vitest';
import { compareManifest, type DeploymentFacts } from '../../../../server/privacy/deployment/compare.ts';
import type { DeviceIdentity, WeightFile } from '../../../../server/privacy/deployment/manifest.ts';
import { createManifest } from './sample-manifest.ts';

const manifest = createManifest();
const [nvidia, amd, software] = manifest.devices as readonly [DeviceIdentity, DeviceIdentity, DeviceIdentity];
const [small, config, first, second] = manifest.weights as readonly [WeightFile, WeightFile, WeightFile, WeightFile];
const other = '99'.repeat(32);
/** The large model is loaded. */
const facts: DeploymentFacts = {
  site: manifest.site,
  region: manifest.region,
  hosts: ['77'.repeat(32), manifest.host],
  devices: manifest.devices,
  software: manifest.software,
  weights: [config, first, second],
  agreements: [{ id: manifest.agreement }],
};

test('what fits has no differences', () => {
  expect(compareManifest(manifest, facts)).toEqual([]);
  expect(compareManifest(manifest, { ...facts, weights: [small] })).toEqual([]);
  expect(compareManifest(manifest, { ...facts, weights: [small, config, first, second] })).toEqual([]);
  expect(compareManifest(manifest, { ...facts, devices: facts.devices.toReversed() })).toEqual([]);
});

test('an agreement may have taken the place of the named one', () => {
  expect(compareManifest(manifest, { ...facts, agreements: [{ id: 'agr-laterone', supersedes: manifest.agreement }] })).toEqual([]);
});

const cases: readonly (readonly [what: string, change: Partial<DeploymentFacts>, begin: string])[] = [
  ['site', { site: 'south-hospital' }, 'The site is another one: expected north-hospital, found south-hospital;'],
  ['region', { region: 'us-west' }, 'The region is another one: expected us-east, found us-west;'],
  ['host', { hosts: [other, '88'.repeat(32)] }, 'The host is another one: expected 1a1a1a1a1a1a, found 999999999999 or 888888888888;'],
  [
    'a device gone',
    { devices: [amd, software] },
    'A device is missing: expected 0000:c1:00.0 (10de:2330, GPU-9f8a2c1d-3e4b-5a6c-7d8e-9f0a1b2c3d4e), found none there;',
  ],
  ['a software device not used', { devices: [nvidia, amd] }, 'A device is missing: expected software (0000:lavapipe), found none there;'],
  [
    'another model',
    { devices: [nvidia, { ...amd, model: '74a5' }, software] },
    'A device is another one: expected 0000:03:00.0 (1002:74a1, a1b2c3d4e5f60718), found 0000:03:00.0 (1002:74a5, a1b2c3d4e5f60718);',
  ],
  ['another maker', { devices: [nvidia, { ...amd, vendor: '8086' }, software] }, 'A device is another one: expected 0000:03:00.0 (1002:74a1'],
  [
    'another serial',
    { devices: [nvidia, { ...amd, serial: '0000000000000001' }, software] },
    'A device is another one: expected 0000:03:00.0 (1002:74a1, a1b2c3d4e5f60718), found 0000:03:00.0 (1002:74a1, 0000000000000001); put',
  ],
  [
    'a serial not told',
    { devices: [{ address: nvidia.address, vendor: nvidia.vendor, model: nvidia.model }, amd, software] },
    'A device is another one: expected 0000:c1:00.0 (10de:2330, GPU-9f8a2c1d-3e4b-5a6c-7d8e-9f0a1b2c3d4e), found 0000:c1:00.0 (10de:2330); load its driver,',
  ],
  [
    'another software device',
    { devices: [nvidia, amd, { ...software, model: 'swiftshader' }] },
    'A device is another one: expected software (0000:lavapipe), found software (0000:swiftshader);',
  ],
  [
    'a device more',
    { devices: [...facts.devices, { address: '0000:81:00.0', vendor: '10de', model: '26b9' }] },
    'A device is not in the manifest: expected none, found 0000:81:00.0 (10de:26b9);',
  ],
  ['the program', { software: other }, 'The program is another one: expected SHA-256 2b2b2b2b2b2b, found 999999999999;'],
  [
    'weights with another hash',
    { weights: [config, { ...first, sha256: other }, second] },
    'A file of weights is another one: expected large/model-00001-of-00002.safetensors with SHA-256 5e5e5e5e5e5e, found 999999999999;',
  ],
  ['a shard gone', { weights: [config, first] }, 'A file of weights is missing: expected large/model-00002-of-00002.safetensors, found none;'],
  [
    'a shard more',
    { weights: [config, first, second, { name: 'large/extra.safetensors', sha256: other }] },
    'A file of weights is not in the manifest: expected none named large/extra.safetensors, found it with SHA-256 999999999999;',
  ],
  [
    'a model more',
    { weights: [small, config, first, second, { name: 'other.gguf', sha256: small.sha256 }] },
    'A file of weights is not in the manifest: expected none named other.gguf,',
  ],
  ['the agreement', { agreements: [{ id: 'agr-another1' }] }, 'The agreement is not in force: expected agr-8w2n5c1x for this site, found agr-another1;'],
  ['no agreement', { agreements: [] }, 'The agreement is not in force: expected agr-8w2n5c1x for this site, found none in force;'],
];

test.each(cases)('%s', (_, change, begin) => {
  const differences = compareManifest(manifest, { ...facts, ...change });
  expect(differences).toHaveLength(1);
  expect(differences[0]?.slice(0, begin.length)).toBe(begin);
  expect(differences[0]).toMatch(/^[^\n]*\.$/);
  // Expected, found, and what to do.
  expect(differences[0]).toMatch(/expected .*, found .*; .*\(inward manifest new\)\.$/);
});

test('none hides another one', () => {
  const kinds = ['site', 'region', 'host', 'a device gone', 'the program', 'weights with another hash', 'no agreement'];
  const changes = cases.filter(([what]) => kinds.includes(what));
  const all = compareManifest(manifest, Object.assign({ ...facts }, ...changes.map(([, change]) => change)));
  expect(all).toHaveLength(kinds.length);
  for (const [, , begin] of changes) expect(all.some((sentence) => sentence.startsWith(begin))).toBe(true);
});
