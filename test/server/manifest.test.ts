/** `inward manifest`, on a site that `inward site init` made and on a made-up host. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { root } from '../../scripts/node.mjs';
import { runCommand } from '../../server/cli/index.ts';
import { readManifest } from '../../server/privacy/deployment/manifest.ts';
import { hashSoftware } from '../../server/privacy/deployment/software.ts';
import { hashRecord, readEnvelope } from '../../server/privacy/envelope.ts';
import { storeFile } from '../../server/privacy/folder.ts';
import { openStore } from '../../server/privacy/store/sqlite.ts';
import type { Snapshot } from '../../server/privacy/store.ts';
import { FakeWorld } from './fake-world.ts';
import { until } from './help.ts';
import { createAgreement, createSigner, type Signer, signRecord } from './privacy/deployment/deployed-site.ts';
import { FakeHost, intelGpu, machineId, nvidiaGpu } from './privacy/deployment/fake-host.ts';

let folder = '';
let host: FakeHost;
let signer: Signer;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'inward-manifest-'));
  host = new FakeHost();
  host.addPci('0000:c1:00.0', nvidiaGpu);
  host.addNvidia('0000:c1:00.0', 0);
  signer = createSigner();
  writeFileSync(join(folder, 'model.gguf'), 'weights');
  writeFileSync(join(folder, 'key.pem'), signer.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  await run('site init --name north-hospital --region us-east --admin a.smith --compliance c.jones');
  await change(async (store) => {
    await store.addTrustedKey(signer.trusted);
    await store.addRecord(signRecord('inward.agreement.v1', createAgreement({ effective: '2020-01-01T00:00:00Z', expires: '2099-01-01T00:00:00Z' }), signer));
  });
});
afterEach(() => {
  host[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function createWorld(person = 'c.jones'): FakeWorld {
  const world = new FakeWorld();
  world.folder = folder;
  world.hostRoot = host.root;
  world.environment = { INWARD_SITE: join(folder, 'site'), INWARD_IDENTITY: join(folder, 'site', `${person}.identity`) };
  return world;
}

/** What a command prints; it must succeed. */
async function run(line: string, person?: string): Promise<string> {
  const world = createWorld(person);
  expect([await runCommand(line.split(' '), world), world.complained]).toEqual([0, '']);
  return world.printed;
}

/** What a command complains about; it must fail, with one line. */
async function fail(line: string, code = 1, person?: string): Promise<string> {
  const world = createWorld(person);
  expect(await runCommand(line.split(' '), world), world.printed).toBe(code);
  expect(world.complained).toMatch(/^[^\n]+\n$/);
  return world.complained;
}

async function change(act: (store: Awaited<ReturnType<typeof openStore>>) => Promise<void>): Promise<void> {
  await using store = await openStore(join(folder, 'site', storeFile));
  await act(store);
}

async function load(): Promise<Snapshot> {
  await using store = await openStore(join(folder, 'site', storeFile));
  return await store.load();
}

const read = (name: string): ReturnType<typeof readEnvelope> => readEnvelope(readFileSync(join(folder, name)), name);
const oneStep = 'manifest new --model model.gguf --device lavapipe --key key.pem --add --yes';
const check = 'manifest check --model model.gguf --device lavapipe';

test('one command makes, signs and adds, and the host fits', async () => {
  const printed = await run(`${oneStep} --outbound siem.example.org:6514 --outbound 10.0.0.1:443`);
  const stored = (await load()).manifest;
  const manifest = stored && readManifest(stored.envelope);
  expect(manifest).toMatchObject({
    site: 'north-hospital',
    region: 'us-east',
    devices: [
      { address: '0000:c1:00.0', vendor: '10de', model: '2330' },
      { address: 'software', vendor: '0000', model: 'lavapipe' },
    ],
    software: hashSoftware(root),
    // printf weights | sha256sum
    weights: [{ name: 'model.gguf', sha256: '9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c' }],
    agreement: 'agr-8w2n5c1x',
    outbound: ['siem.example.org:6514', '10.0.0.1:443'],
  });
  expect(stored?.addedBy).toBe('c.jones');
  expect(stored?.envelope.signatures.map(({ key }) => key)).toEqual([signer.trusted.id]);
  expect(printed).toContain(`The manifest ${manifest?.id} is in force, SHA-256 ${stored && hashRecord(stored.envelope)};`);
  expect(printed).not.toContain(machineId);
  expect(await run(check)).toBe(`The manifest ${manifest?.id} (SHA-256 ${stored && hashRecord(stored.envelope)}) fits.\n`);
});

test('step by step: new, sign, add', async () => {
  expect(await run('manifest new --model model.gguf --device lavapipe --out m.json')).toContain(
    `Written to ${join(folder, 'm.json')}. Next: inward manifest sign`,
  );
  expect(read('m.json').signatures).toEqual([]);
  expect(await fail('manifest add m.json')).toContain('needs 1 signature; found 0.');
  expect((await load()).manifest).toBeUndefined();
  expect(await run('manifest sign m.json --key key.pem --yes')).toContain(
    `Signed by ${signer.trusted.id}; the record has one signature. Next, on the site: inward manifest add`,
  );
  expect(await run('manifest add m.json')).toContain('is in force');
  expect((await load()).manifest?.envelope).toEqual(read('m.json'));
  await run(check);
});

test('without --out the file has the name of the manifest', async () => {
  const printed = await run('manifest new --model model.gguf --device lavapipe --key key.pem --yes');
  const [, name = ''] = /(mf-[0-9a-f]{12}\.json)\. Next: inward manifest add/.exec(printed) ?? [];
  expect(`${readManifest(read(name)).id}.json`).toBe(name);
});

test('a later manifest takes the place of the one before', async () => {
  await run(oneStep);
  const first = (await load()).manifest;
  await run(oneStep);
  expect((await load()).manifest?.envelope.record['id']).not.toBe(first?.envelope.record['id']);
});

test('an older manifest does not come back, nor one of a revoked agreement', async () => {
  await run(`${oneStep} --out m.json`);
  const { record } = read('m.json');
  const write = (name: string, changes: object): void =>
    writeFileSync(join(folder, name), JSON.stringify(signRecord('inward.manifest.v1', { ...record, ...changes }, signer).envelope));
  write('old.json', { id: 'mf-00000001', issued: '2026-01-01T00:00:00Z' });
  expect(await fail('manifest add old.json')).toMatch(/is of 2026-01-01T00:00:00Z, and the one in force of .*: expected a later one/);
  expect((await load()).manifest?.envelope.record['id']).toBe(record['id']);
  write('new.json', { id: 'mf-00000002', issued: '2098-01-01T00:00:00Z' });
  await change((store) => store.revokeAgreement('agr-8w2n5c1x', 'c.jones', Date.now()));
  expect(await fail('manifest add new.json')).toContain('names the agreement agr-8w2n5c1x, which was revoked');
});

test('two signatures where the site demands them', async () => {
  const second = createSigner();
  writeFileSync(
    join(folder, 'second.pem'),
    second.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'a long passphrase' }),
    { mode: 0o600 },
  );
  writeFileSync(join(folder, 'phrase.txt'), 'a long passphrase\n', { mode: 0o600 });
  await change(async (store) => {
    await store.addTrustedKey(second.trusted);
    await store.setPolicy({ site: 'north-hospital', region: 'us-east', signatures: 2 }, 'setup', Date.now());
  });
  expect(await fail(oneStep)).toContain('This site needs the signatures of two different keys');
  await run('manifest new --model model.gguf --device lavapipe --key key.pem --yes --out m.json');
  expect(await fail('manifest add m.json')).toContain('needs 2 signatures of different keys; found 1.');
  await run('manifest sign m.json --key key.pem --yes');
  expect(await fail('manifest add m.json')).toContain('found 1.');
  expect(await fail('manifest sign m.json --key second.pem --yes', 2)).toContain('these options must be there too: --passphrase-file <file>');
  expect(await run('manifest sign m.json --key second.pem --passphrase-file phrase.txt --yes')).toContain('has 2 signatures');
  await run('manifest add m.json');
  await run(check);
});

test('one line for each difference, and exit code 1', async () => {
  await run(oneStep);
  writeFileSync(join(folder, 'model.gguf'), 'other weights');
  host.write('etc/machine-id', `${machineId.replace('d', 'e')}\n`);
  host.addPci('0000:81:00.0', intelGpu);
  const world = createWorld();
  expect(await runCommand(check.split(' '), world)).toBe(1);
  expect(world.printed.split('\n').map((line) => line.slice(0, 30))).toEqual([
    'The host is another one: expec',
    'A device is not in the manifes',
    'A file of weights is another o',
    '',
  ]);
  const json = createWorld();
  expect(await runCommand([...check.split(' '), '--json'], json)).toBe(1);
  expect(JSON.parse(json.printed)).toMatchObject({
    manifest: { site: 'north-hospital' },
    differences: world.printed.trimEnd().split('\n'),
    neighbours: { compute: 0 },
  });
});

test('who else is on the GPU', async () => {
  await run('manifest new --model model.gguf --device gpu --key key.pem --add --yes');
  host.addProcess(900, { files: [{ link: '/dev/nvidia0' }, { link: '/dev/nvidia-uvm' }] });
  const line = 'manifest check --model model.gguf --device gpu';
  const world = createWorld();
  expect(await runCommand(line.split(' '), world)).toBe(1);
  expect(world.printed).toMatch(/^The GPU is shared: .*\nOther processes on the GPU: 1 compute, 0 hold it open, 0 cannot be seen by this user\.\n$/);
  expect(await run(`${line} --shared-gpu record`)).toMatch(/ fits\.\nOther processes on the GPU: 1 compute/);
});

test('the manifest in force, and one in a file', async () => {
  expect(await fail('manifest show')).toContain('This site has no manifest in force');
  await run(`${oneStep} --out m.json`);
  const { manifest } = await load();
  const shown = await run('manifest show', 'a.smith');
  for (const text of ['north-hospital in us-east', 'agr-8w2n5c1x', '0000:c1:00.0 10de:2330', 'model.gguf', signer.trusted.id]) expect(shown).toContain(text);
  expect(await run('manifest show m.json')).toBe(shown);
  const json = JSON.parse(await run('manifest show --json'));
  expect(json).toMatchObject({
    manifest: manifest?.envelope.record,
    sha256: manifest && hashRecord(manifest.envelope),
    signers: [signer.trusted.id],
    addedBy: 'c.jones',
  });
});

test('a host that is known by its machine-id only is told', async () => {
  expect(await run(oneStep)).not.toContain('machine-id');
  rmSync(join(host.root, 'sys/class/dmi/id/product_uuid'));
  expect(await run(oneStep)).toMatch(/^The host is known by its machine-id only, which every copy of its disk has too: /);
  await run(check);
});

test('several models', async () => {
  writeFileSync(join(folder, 'b.gguf'), 'more');
  await run(`${oneStep} --model b.gguf`);
  expect(readManifest((await load()).manifest?.envelope ?? read('none')).weights.map(({ name }) => name)).toEqual(['model.gguf', 'b.gguf']);
  await run(check);
  await run('manifest check --model b.gguf --device lavapipe');
  writeFileSync(join(folder, 'c.gguf'), 'more');
  const world = createWorld();
  expect(await runCommand('manifest check --model c.gguf --device lavapipe'.split(' '), world)).toBe(1);
  expect(world.printed).toContain('expected none named c.gguf');
});

test('which agreement is meant must be clear', async () => {
  const wide = { effective: '2020-01-01T00:00:00Z', expires: '2099-01-01T00:00:00Z' };
  await change((store) => store.addRecord(signRecord('inward.agreement.v1', createAgreement({ ...wide, id: 'agr-secondone', tenants: ['main'] }), signer)));
  expect(await fail(oneStep)).toContain('found agr-8w2n5c1x, agr-secondone; name it with --agreement');
  await run(`${oneStep} --agreement agr-secondone`);
  expect((await load()).manifest?.envelope.record['agreement']).toBe('agr-secondone');
  expect(await fail(`${oneStep} --agreement agr-unknown99`)).toContain('which this site does not have');
  await change(async (store) => {
    await store.revokeAgreement('agr-secondone', 'c.jones', Date.now());
    await store.revokeAgreement('agr-8w2n5c1x', 'c.jones', Date.now());
  });
  expect(await fail(oneStep)).toContain('found none; name it');
});

test('who may', async () => {
  expect(await fail(oneStep, 1, 'a.smith')).toContain('it needs manifest.write');
  await run('manifest new --model model.gguf --device lavapipe --key key.pem --yes --out m.json');
  expect(await fail('manifest add m.json', 1, 'a.smith')).toContain('it needs manifest.write');
  expect((await load()).manifest).toBeUndefined();
});

test('a manifest of another site or with another key is not added', async () => {
  await run('manifest new --model model.gguf --device lavapipe --out m.json');
  const envelope = read('m.json');
  const write = (record: object, by: Signer): void =>
    writeFileSync(join(folder, 'x.json'), JSON.stringify(signRecord('inward.manifest.v1', record, by).envelope));
  write({ ...envelope.record, site: 'south-hospital' }, signer);
  expect(await fail('manifest add x.json')).toContain('is for south-hospital in us-east: expected one for north-hospital in us-east');
  write({ ...envelope.record, region: 'us-west' }, signer);
  expect(await fail('manifest add x.json')).toContain('is for north-hospital in us-west');
  write(envelope.record, createSigner());
  expect(await fail('manifest add x.json')).toContain('which is not a trusted key of this site');
  write({ ...envelope.record, note: 'Patient Doe' }, signer);
  expect(await fail('manifest add x.json')).not.toContain('Doe');
  expect(await fail('manifest add missing.json')).toContain('found nothing');
  expect((await load()).manifest).toBeUndefined();
});

test('wrong use is told before anything is hashed', async () => {
  expect(await fail('manifest new --add', 2)).toContain('--add needs --key');
  expect(await fail('manifest new --model none.gguf --key key.pem', 2)).toContain('these options must be there too: --yes');
  chmodSync(join(folder, 'key.pem'), 0o644);
  expect(await fail('manifest new --model none.gguf --key key.pem --yes')).toContain('chmod 600');
  expect(await fail('manifest new --model none.gguf --device lavapipe')).toContain('The file "none.gguf" cannot be hashed');
  const world = createWorld();
  expect(await runCommand(['manifest', 'new', '--outbound', '169.254.169.254:80'], world)).toBe(2);
  expect(world.complained).toContain('Expected a host and a port');
});

test('on a terminal it is shown and asked', async () => {
  const answer = async (word: string): Promise<FakeWorld> => {
    const world = createWorld();
    world.becomeTerminal();
    const ended = runCommand(['manifest', 'new', '--model', 'model.gguf', '--device', 'lavapipe', '--key', 'key.pem', '--add'], world);
    await until(() => world.printed.includes('Sign it?'));
    expect(world.printed).toContain('north-hospital in us-east');
    world.in.write(`${word}\r`);
    expect(await ended).toBe(word === 'yes' ? 0 : 1);
    return world;
  };
  expect((await answer('no')).complained).toContain('The record was not signed');
  expect((await load()).manifest).toBeUndefined();
  await answer('yes');
  expect((await load()).manifest).toBeDefined();
});

test('a file that was changed while it was looked at is not signed', async () => {
  await run('manifest new --model model.gguf --device lavapipe --out m.json');
  const world = createWorld();
  world.becomeTerminal();
  const ended = runCommand(['manifest', 'sign', 'm.json', '--key', 'key.pem'], world);
  await until(() => world.printed.includes('Sign it?'));
  const { record } = read('m.json');
  const changed = JSON.stringify({ type: 'inward.manifest.v1', record: { ...record, outbound: ['evil.example:1'] }, signatures: [] });
  writeFileSync(join(folder, 'm.json'), changed);
  world.in.write('yes\r');
  expect(await ended).toBe(1);
  expect(world.complained).toContain('was changed while you read it');
  expect(readFileSync(join(folder, 'm.json'), 'utf8')).toBe(changed);
});

test('somebody else may sign at the same time', async () => {
  await run('manifest new --model model.gguf --device lavapipe --out m.json');
  const world = createWorld();
  world.becomeTerminal();
  const ended = runCommand(['manifest', 'sign', 'm.json', '--key', 'key.pem'], world);
  await until(() => world.printed.includes('Sign it?'));
  const other = createSigner();
  writeFileSync(join(folder, 'm.json'), JSON.stringify(signRecord('inward.manifest.v1', read('m.json').record, other).envelope));
  world.in.write('yes\r');
  expect(await ended).toBe(0);
  expect(read('m.json').signatures.map(({ key }) => key)).toEqual([other.trusted.id, signer.trusted.id]);
});
