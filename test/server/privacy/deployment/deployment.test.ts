/** The check of a start, on made-up hosts: what fits starts, and every single thing that does not keeps it from starting. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Agreement } from '../../../../server/privacy/agreement.ts';
import { checkDeployment, type DeploymentRequest, demandDeployment, findAgreements, gatherFacts } from '../../../../server/privacy/deployment/deployment.ts';
import type { Manifest } from '../../../../server/privacy/deployment/manifest.ts';
import { hashRecord } from '../../../../server/privacy/envelope.ts';
import type { Snapshot } from '../../../../server/privacy/store.ts';
import { createAgreement, createSigner, createSnapshot, signRecord } from './deployed-site.ts';
import { amdGpu, FakeHost, fdinfo, intelGpu, networkCard } from './fake-host.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-deployment-'));
const modelPath = join(folder, 'model.gguf');
const host = new FakeHost();
const signer = createSigner();
const now = Date.UTC(2026, 10, 24);
beforeAll(() => {
  writeFileSync(modelPath, 'weights');
  host.addPci('0000:03:00.0', amdGpu);
  host.addNode('renderD128', '0000:03:00.0');
  host.addPci('0000:00:1f.6', networkCard);
  host.addProcess(1, { parent: 0 });
});
afterAll(() => {
  host[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

/** As `inward manifest new` would make it. */
async function createManifest(deviceName: 'gpu' | 'lavapipe' = 'gpu'): Promise<Manifest> {
  const { hosts, ...facts } = await gatherFacts({ deviceName, modelPaths: [modelPath], root: host.root });
  const base = { id: 'mf-4f7q2k9d', site: 'north-hospital', region: 'us-east', agreement: 'agr-8w2n5c1x', outbound: [], issued: '2026-11-01T00:00:00Z' };
  return { ...base, host: hosts[0] ?? '', ...facts };
}

function request(snapshot: Snapshot, changes: Partial<DeploymentRequest> = {}): DeploymentRequest {
  return { snapshot, deviceName: 'gpu', modelPath, root: host.root, sharedGpu: 'refuse', swap: 'refuse', now, ...changes };
}

test('a server that stands where it was signed for', async () => {
  const manifest = await createManifest();
  const snapshot = createSnapshot(signer, manifest);
  const record = snapshot.manifest?.envelope;
  expect(await checkDeployment(request(snapshot))).toEqual({
    manifest,
    hash: record && hashRecord(record),
    weights: manifest.weights,
    differences: [],
    neighbours: { compute: 0, holders: 0, unseen: 0 },
  });
  expect(manifest.devices).toEqual([{ address: '0000:03:00.0', vendor: '1002', model: '74a1', serial: 'a1b2c3d4e5f60718' }]);
});

test('a software device is one of the devices', async () => {
  const manifest = await createManifest('lavapipe');
  const snapshot = createSnapshot(signer, manifest);
  expect((await checkDeployment(request(snapshot, { deviceName: 'lavapipe' }))).differences).toEqual([]);
  expect((await checkDeployment(request(snapshot))).differences).toEqual([expect.stringContaining('expected software (0000:lavapipe), found none there')]);
  expect((await checkDeployment(request(snapshot, { deviceName: 'swiftshader' }))).differences).toEqual([
    expect.stringContaining('found software (0000:swiftshader)'),
  ]);
});

test('a manifest that was made without the id of the firmware', async () => {
  const { hosts } = await gatherFacts({ deviceName: 'gpu', modelPaths: [modelPath], root: host.root });
  expect(hosts).toHaveLength(2);
  const snapshot = createSnapshot(signer, { ...(await createManifest()), host: hosts[1] ?? '' });
  expect((await checkDeployment(request(snapshot))).differences).toEqual([]);
});

const other = '99'.repeat(32);
test.each<readonly [what: string, changes: Partial<Manifest>, begin: string]>([
  ['site', { site: 'south-hospital' }, 'The site is another one'],
  ['region', { region: 'us-west' }, 'The region is another one'],
  ['host', { host: other }, 'The host is another one'],
  ['devices', { devices: [] }, 'A device is not in the manifest'],
  ['software', { software: other }, 'The program is another one'],
  ['weights', { weights: [{ name: 'model.gguf', sha256: other }] }, 'A file of weights is another one'],
  ['no weights', { weights: [] }, 'A file of weights is not in the manifest'],
  ['agreement', { agreement: 'agr-another1' }, 'The agreement is not in force'],
])('one difference, one sentence: %s', async (_, changes, begin) => {
  const snapshot = createSnapshot(signer, { ...(await createManifest()), ...changes });
  const { differences } = await checkDeployment(request(snapshot));
  expect(differences).toHaveLength(1);
  expect(differences[0]?.slice(0, begin.length)).toBe(begin);
});

test('another process on the GPU is refused or recorded', async () => {
  const snapshot = createSnapshot(signer, await createManifest());
  host.addProcess(900, { files: [{ link: '/dev/dri/renderD128', info: fdinfo('amdgpu', '0000:03:00.0', 'drm-engine-compute:\t9 ns') }] });
  try {
    const refused = await checkDeployment(request(snapshot));
    expect(refused.differences).toEqual([expect.stringContaining('The GPU is shared')]);
    expect(refused.neighbours).toEqual({ compute: 1, holders: 0, unseen: 0 });
    const recorded = await checkDeployment(request(snapshot, { sharedGpu: 'record' }));
    expect(recorded.differences).toEqual([]);
    expect(recorded.neighbours.compute).toBe(1);
    // On a software device it disturbs nobody.
    const software = createSnapshot(signer, await createManifest('lavapipe'));
    expect((await checkDeployment(request(software, { deviceName: 'lavapipe' }))).neighbours.compute).toBe(0);
  } finally {
    host.remove('proc/900');
  }
});

test('memory that may be swapped to a disk is refused or allowed, for PHI on whatever device', async () => {
  const snapshot = createSnapshot(signer, await createManifest());
  using second = new FakeHost();
  second.addPci('0000:03:00.0', amdGpu);
  second.write('proc/swaps', 'Filename Type Size Used Priority\n/dev/sda2 partition 8388604 0 -2\n');
  const refused = await checkDeployment(request(snapshot, { root: second.root }));
  expect(refused.differences).toEqual([expect.stringMatching(/^Memory may be swapped: expected none, .* found swap on a disk in plain text; turn it off/)]);
  expect((await checkDeployment(request(snapshot, { root: second.root, swap: 'allow' }))).differences).toEqual([]);
  second.remove('proc/swaps');
  expect((await checkDeployment(request(snapshot, { root: second.root }))).differences).toEqual([expect.stringContaining('cannot be read')]);
});

test('each GPU that may be chosen is looked at, a display of the board is not', async () => {
  using second = new FakeHost();
  second.addPci('0000:03:00.0', amdGpu);
  second.addPci('0000:00:02.0', intelGpu);
  second.addPci('0000:05:00.0', { class: '0x030000', vendor: '0x1a03', device: '0x2000' });
  for (const [node, address] of [
    ['renderD129', '0000:00:02.0'],
    ['card2', '0000:05:00.0'],
  ] as const)
    second.addNode(node, address);
  second.addProcess(900, { files: [{ link: '/dev/dri/renderD129', info: fdinfo('i915', '0000:00:02.0', 'drm-engine-render:\t9 ns') }] });
  second.addProcess(901, { files: [{ link: '/dev/dri/card2', info: fdinfo('ast', '0000:05:00.0') }] });
  const { neighbours } = await checkDeployment(request(createSnapshot(signer, await createManifest()), { root: second.root }));
  expect(neighbours).toEqual({ compute: 1, holders: 0, unseen: 0 });
});

test('a GPU of a maker that is not known is looked at where there is no other', async () => {
  using second = new FakeHost();
  second.addPci('0000:05:00.0', { class: '0x120000', vendor: '0x1da3', device: '0x1020' });
  second.addNode('renderD128', '0000:05:00.0');
  second.addProcess(900, { files: [{ link: '/dev/dri/renderD128' }] });
  const { neighbours } = await checkDeployment(request(createSnapshot(signer, await createManifest()), { root: second.root }));
  expect(neighbours.compute).toBe(1);
});

test('nothing that counts is refused with one sentence', async () => {
  const manifest = await createManifest();
  const snapshot = createSnapshot(signer, manifest);
  const expectRefusal = (changed: Partial<Snapshot>, message: string): Promise<void> =>
    expect(checkDeployment(request({ ...snapshot, ...changed }))).rejects.toThrow(message);
  await expectRefusal({ policy: undefined }, 'This site has no code and no region yet');
  await expectRefusal({ manifest: undefined }, 'There is no deployment manifest');
  await expectRefusal({ trustedKeys: [] }, 'is not a trusted key of this site');
  await expectRefusal({ policy: { site: 'north-hospital', region: 'us-east', signatures: 2 } }, 'needs 2 signatures of different keys; found 1');
  await expectRefusal({ manifest: signRecord('inward.manifest.v1', manifest) }, 'needs 1 signature; found 0');
  await expectRefusal({ manifest: signRecord('inward.agreement.v1', createAgreement(), signer) }, 'is no deployment manifest');
  const { envelope, ...stored } = signRecord('inward.manifest.v1', manifest, signer);
  await expectRefusal({ manifest: { ...stored, envelope: { ...envelope, record: { ...envelope.record, host: other } } } }, 'that does not fit');
});

test.each<readonly [what: string, agreement: Partial<Agreement>, isInForce: boolean]>([
  ['as it should be', {}, true],
  ['for this host', { hosts: ['77'.repeat(32), '88'.repeat(32)] }, true],
  ['for another host', { hosts: ['77'.repeat(32)] }, false],
  ['for another region', { regions: ['us-west'] }, false],
  ['not begun', { effective: '2026-11-24T00:00:01Z' }, false],
  ['begun this moment', { effective: '2026-11-24T00:00:00Z' }, true],
  ['ended this moment', { expires: '2026-11-24T00:00:00Z' }, false],
  ['for synthetic data', { kind: 'synthetic', purposes: ['evaluation'], effective: '2026-11-20T00:00:00Z', expires: '2026-12-01T00:00:00Z' }, false],
])('an agreement %s', (_, changes, isInForce) => {
  const agreement = createAgreement(changes);
  expect(findAgreements(createSnapshot(signer, undefined, [agreement]), ['88'.repeat(32)], now)).toEqual(isInForce ? [agreement] : []);
});

test('a revoked agreement, and one whose place was taken', () => {
  const snapshot = createSnapshot(signer, undefined);
  expect(findAgreements({ ...snapshot, agreements: snapshot.agreements.map((stored) => ({ ...stored, revokedAt: 1 })) }, [], now)).toEqual([]);
  const later = createAgreement({ id: 'agr-laterone', supersedes: 'agr-8w2n5c1x', effective: '2026-11-01T00:00:00Z' });
  expect(findAgreements(createSnapshot(signer, undefined, [createAgreement(), later]), [], now)).toEqual([later]);
});

test('a start goes on only where nothing differs', async () => {
  const agreement = { agreement: createAgreement() };
  const { snapshot: good, ...rest } = request(createSnapshot(signer, await createManifest()));
  expect((await demandDeployment({ agreement, view: { snapshot: good } }, rest))?.manifest.id).toBe('mf-4f7q2k9d');
  const bad = createSnapshot(signer, { ...(await createManifest()), region: 'us-west', software: other });
  await expect(demandDeployment({ agreement, view: { snapshot: bad } }, rest)).rejects.toThrow(
    /^The region is another one: [^\n]*\.\nThe program is another one: [^\n]*\.$/,
  );
  const one = createSnapshot(signer, { ...(await createManifest()), software: other });
  await expect(demandDeployment({ agreement, view: { snapshot: one } }, rest)).rejects.toThrow(/^The program is another one: [^\n]*\.$/);
  await expect(demandDeployment({ agreement: undefined, view: { snapshot: bad } }, rest)).rejects.toThrow('The region is another one');
  await expect(demandDeployment({ agreement, view: undefined }, rest)).rejects.toThrow('The store of the site cannot be read');
  await expect(demandDeployment({ agreement, view: { snapshot: good } }, { ...rest, deviceName: 'auto' })).rejects.toThrow('found auto; name it');
});

test('without PHI there is no manifest to keep to', async () => {
  const { snapshot: _, ...rest } = request(createSnapshot(signer, undefined));
  const synthetic = { agreement: createAgreement({ kind: 'synthetic' }) };
  expect(await demandDeployment({ agreement: synthetic, view: undefined }, { ...rest, deviceName: 'auto' })).toBeUndefined();
});
