/** Imports from a folder: whole or not at all, whatever cuts them, and nothing that is not what it should be. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { chooseFiles } from '../../../../server/cli/model/choose.ts';
import { localDisk } from '../../../../server/cli/model/disk.ts';
import { type ImportRequest, importModel } from '../../../../server/cli/model/import.ts';
import { listNames } from '../../../../server/cli/model/shelf.ts';
import { openFolderSource } from '../../../../server/cli/model/source.ts';
import type { Sums } from '../../../../server/privacy/deployment/sums.ts';
import { syncFolder } from '../../../../server/privacy/files.ts';
import { createCutSource, createFullDisk, readFiles, sha256, sumsOf, tinyModel, writeFiles } from './help.ts';

vi.mock(import('../../../../server/privacy/files.ts'), async (load) => {
  const files = await load();
  return { ...files, syncFolder: vi.fn(files.syncFolder) };
});

let folder = '';
let shelf = '';
let usb = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-import-'));
  shelf = join(folder, 'models');
  usb = writeFiles(join(folder, 'usb'), { ...tinyModel(), 'README.md': 'about', 'training_args.bin': 'pickle' });
});
afterEach(() => rmSync(folder, { recursive: true }));

async function run({ source = openFolderSource(usb), ...changes }: Partial<ImportRequest> = {}): Promise<Sums> {
  return importModel({ source, choice: chooseFiles(source), shelf, name: 'tiny', disk: localDisk, ...changes });
}
const draft = (): string => join(shelf, '.tiny.part');
/** What there is when an import has not ended: no model, no lock. */
const expectUnlisted = (): void => {
  expect(listNames(shelf).models).toEqual([]);
  expect(readdirSync(shelf).filter((name) => name.endsWith('.lock'))).toEqual([]);
};
function expectWhole(files: Record<string, Buffer> = tinyModel()): void {
  expect(readFiles(join(shelf, 'tiny'))).toEqual({ ...files, SHA256SUMS: Buffer.from(sumsOf(files)) });
  expect(readdirSync(shelf)).toEqual(['tiny']);
}

test('a folder with its shards: what is needed and nothing else, with sums that sha256sum agrees with', async () => {
  const progress: (readonly [number, number])[] = [];
  const sums = await run({ onProgress: (done, total) => progress.push([done, total]) });
  expectWhole();
  expect(sums.sha256).toBe(sha256(sumsOf(tinyModel())));
  const printed = execFileSync('sha256sum', ['--strict', '-c', 'SHA256SUMS'], { cwd: join(shelf, 'tiny') }).toString();
  expect(printed.split('\n').filter((line) => line.endsWith(': OK'))).toHaveLength(6);
  const weights = Object.entries(tinyModel()).flatMap(([name, bytes]) => (name.endsWith('.safetensors') ? [bytes.length] : []));
  const total = weights.reduce((sum, size) => sum + size, 0);
  expect(progress.at(-1)).toEqual([total, total]);
});

test('links in the source are followed, as caches of downloads have them', async () => {
  const links = join(folder, 'links');
  mkdirSync(links);
  for (const name of readdirSync(usb)) symlinkSync(join(usb, name), join(links, name));
  await run({ source: openFolderSource(links) });
  expectWhole();
});

test('cut anywhere and given again, as often as it takes, it becomes the same', async () => {
  const size = Object.values(tinyModel()).reduce((sum, bytes) => sum + bytes.length, 0);
  const property = fc.asyncProperty(
    fc.array(fc.integer({ min: 1, max: size - 1 }), { minLength: 1, maxLength: 3 }),
    fc.integer({ min: 1, max: 9000 }),
    async (cuts, piece) => {
      for (const cut of cuts) {
        await expect(run({ source: createCutSource(openFolderSource(usb), cut, piece) })).rejects.toThrow('pulled out');
        expectUnlisted();
      }
      await run();
      expectWhole();
      rmSync(shelf, { recursive: true });
    },
  );
  await fc.assert(property, { numRuns: 10 });
});

test('what an earlier try has left is not believed: other bytes, too many, another model', async () => {
  const property = fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 16 }), fc.boolean(), fc.boolean(), async (at, isLonger, hasSums) => {
    const files = tinyModel();
    const left = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes)]));
    for (const bytes of Object.values(left)) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ 1;
    writeFiles(draft(), { ...left, 'chat_template.jinja': 'of somebody else' });
    if (isLonger) appendFileSync(join(draft(), 'config.json'), 'more');
    if (hasSums) writeFileSync(join(usb, 'SHA256SUMS'), sumsOf(files));
    await run();
    expectWhole();
    rmSync(shelf, { recursive: true });
    rmSync(join(usb, 'SHA256SUMS'), { force: true });
  });
  await fc.assert(property, { numRuns: 10 });
});

test('with sums beside it what is there already is not read again', async () => {
  writeFileSync(join(usb, 'SHA256SUMS'), sumsOf(tinyModel()));
  const size = Object.values(tinyModel()).reduce((sum, bytes) => sum + bytes.length, 0);
  const first = createCutSource(openFolderSource(usb), size - 1000);
  await expect(run({ source: first })).rejects.toThrow('pulled out');
  const second = createCutSource(openFolderSource(usb), Number.POSITIVE_INFINITY);
  await run({ source: second });
  expectWhole();
  expect(first.count() + second.count()).toBe(size);
});

test('a file that is not what its list of sums says is refused and not kept', async () => {
  writeFileSync(join(usb, 'SHA256SUMS'), sumsOf({ ...tinyModel(), 'model-00002-of-00002.safetensors': Buffer.from('other') }));
  await expect(run()).rejects.toThrow('model-00002-of-00002.safetensors of');
  expectUnlisted();
  expect(readFiles(draft())['model-00002-of-00002.safetensors']).toEqual(Buffer.alloc(0));
});

test('a file that the list of sums does not name was put there by somebody else', async () => {
  const { 'tokenizer.json': _, ...others } = tinyModel();
  writeFileSync(join(usb, 'SHA256SUMS'), sumsOf(others));
  await expect(run()).rejects.toThrow('does not say what tokenizer.json must be');
});

test('a full disk: one sentence, and the next try goes on', async () => {
  await expect(run({ disk: createFullDisk(20_000) })).rejects.toThrow('found ENOSPC; make room');
  expectUnlisted();
  await run();
  expectWhole();
});

test('too little room is found before anything is copied', async () => {
  // Of the small files, which come first, and a margin.
  await expect(run({ disk: createFullDisk(0, 2 ** 19) })).rejects.toThrow('has no room for the model: expected 1.0 MiB, found 512.0 KiB free; make room');
  expect(readdirSync(draft())).toEqual([]);
});

test('a source that becomes shorter or longer while it is read', async () => {
  const source = openFolderSource(usb);
  appendFileSync(join(usb, 'tokenizer.json'), ' ');
  await expect(run({ source })).rejects.toThrow('tokenizer.json of');
  const other = openFolderSource(usb);
  truncateSync(join(usb, 'tokenizer.json'), 3);
  await expect(run({ source: other })).rejects.toThrow('changed while it was read: expected 27 bytes, found 3;');
  expectUnlisted();
});

test('a disk that is pulled out between listing and reading', async () => {
  const source = openFolderSource(usb);
  const unread = { ...source, modelPath: undefined };
  rmSync(join(usb, 'model-00002-of-00002.safetensors'));
  await expect(run({ source: unread })).rejects.toThrow(
    `The file model-00002-of-00002.safetensors cannot be read from ${usb}: expected ${tinyModel()['model-00002-of-00002.safetensors']?.length} bytes, found ENOENT after 0; connect the disk again`,
  );
  expectUnlisted();
  writeFiles(usb, tinyModel());
  await run();
  expectWhole();
});

test('a bad model is refused before weights move', async () => {
  const bad: readonly (readonly [Record<string, string | Buffer>, string])[] = [
    [{ 'config.json': '{"model_type":"fly"}' }, 'model_type'],
    [{ 'config.json': '{' }, 'config.json'],
    [{ 'model-00002-of-00002.safetensors': Buffer.alloc(100) }, 'model-00002-of-00002.safetensors'],
    [{ 'model.safetensors.index.json': '{"weight_map":{"a":"../../secret.safetensors"}}' }, 'names of safetensors files in this folder'],
  ];
  for (const [files, message] of bad) {
    writeFiles(usb, { ...tinyModel(), ...files });
    await expect(run()).rejects.toThrow(message);
    expect(existsSync(draft())).toBe(false);
  }
});

test('a name that is taken, and one that is being imported', async () => {
  await run();
  await expect(run()).rejects.toThrow('There is a model tiny already');
  // This process is alive.
  writeFileSync(join(shelf, '.other.lock'), `${process.pid}\n`);
  await expect(run({ name: 'other' })).rejects.toThrow('is being imported');
  // Nobody has the highest number.
  writeFileSync(join(shelf, '.other.lock'), '4194305\n');
  await run({ name: 'other' });
  expect(listNames(shelf)).toEqual({ models: ['other', 'tiny'], drafts: [] });
});

test('a place that a link has taken is not written through', async () => {
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'keep');
  mkdirSync(draft(), { recursive: true });
  symlinkSync(secret, join(draft(), 'config.json'));
  await expect(run()).rejects.toThrow('found ELOOP');
  expect(readFileSync(secret, 'utf8')).toBe('keep');
});

test.each(['', 'additional_chat_templates', '1_Pooling'])('a folder %j of the draft that is a link is not written into', async (inner) => {
  const elsewhere = writeFiles(join(folder, 'elsewhere'), { 'tool_use.jinja': 'keep' });
  const link = join(draft(), inner);
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(elsewhere, link.replace(/\/$/, ''));
  await expect(run()).rejects.toThrow('found a link or a file; remove it.');
  expect(readFiles(elsewhere)).toEqual({ 'tool_use.jinja': Buffer.from('keep') });
  expectUnlisted();
});

test('names are on the disk before the model has its own', async () => {
  const path = join(shelf, 'tiny');
  const synced = vi.mocked(syncFolder).mockClear().mock;
  await run();
  const calls = synced.calls.map(([each]) => each);
  expect(calls.slice(0, -1)).toEqual(expect.arrayContaining([draft(), join(draft(), 'additional_chat_templates')]));
  expect(calls.at(-1)).toBe(shelf);
  expect(existsSync(path)).toBe(true);
});
