/** The list of sums: its form is that of sha256sum, and every way to differ from it is found. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compareSums, formatSums, readSums } from '../../../../server/privacy/deployment/sums.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'inward-sums-'));
  writeFileSync(join(folder, 'config.json'), 'abc');
  writeFileSync(join(folder, 'model.safetensors'), '');
  writeFileSync(join(folder, 'SHA256SUMS'), execFileSync('sha256sum', ['config.json', 'model.safetensors'], { cwd: folder }));
});
afterEach(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const differences = async (options?: Parameters<typeof compareSums>[1]): Promise<readonly string[]> => (await compareSums(folder, options)).differences;

/** FIPS 180-2, appendix B.1; and of nothing. */
const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

test('what sha256sum writes is read, and the other way round', async () => {
  const files = [
    { name: 'config.json', sha256: abc },
    { name: 'model.safetensors', sha256: empty },
  ];
  expect(readSums(folder).files).toEqual(files);
  expect(formatSums(files.toReversed())).toBe(`${abc}  config.json\n${empty}  model.safetensors\n`);
  expect(readSums(folder).sha256).toBe(execFileSync('sha256sum', ['SHA256SUMS'], { cwd: folder }).toString().slice(0, 64));
  expect(await differences({ pin: readSums(folder).sha256 })).toEqual([]);
  write('SHA256SUMS', `${abc} *config.json\n${empty} *model.safetensors\n`);
  expect(await differences()).toEqual([]);
});

test('another file, a missing one, one too many, also hidden, a folder, a link', async () => {
  write('config.json', 'abd');
  rmSync(join(folder, 'model.safetensors'));
  write('chat_template.jinja', 'x');
  write('.hidden', '');
  mkdirSync(join(folder, 'additional_chat_templates'));
  write('additional_chat_templates/tool_use.jinja', 'x');
  symlinkSync('/etc/hostname', join(folder, 'tokenizer.json'));
  const found = await differences();
  expect(found[0]).toBe('A file of the model is missing: expected model.safetensors, found none; put it back, or import the model anew (inward model add).');
  expect(
    found
      .slice(1, -1)
      .map((line) => /no ("[^"]+") beside/.exec(line)?.[1])
      .sort(),
  ).toEqual(['.hidden', 'additional_chat_templates/tool_use.jinja', 'chat_template.jinja', 'tokenizer.json'].map((name) => JSON.stringify(name)));
  // printf abd | sha256sum
  expect(found.at(-1)).toBe(
    `A file of the model is another one: expected config.json with SHA-256 ${abc.slice(0, 12)}, found a52d159f262b; put the first one back, or import the model anew (inward model add).`,
  );
});

test('another list than the pinned one: no file is read for it', async () => {
  rmSync(join(folder, 'config.json'));
  const [line, ...others] = await differences({ pin: abc });
  expect([line, others]).toEqual([
    expect.stringMatching(/^The list of sums is another one: expected SHA256SUMS with SHA-256 ba7816bf8f01, found [0-9a-f]{12};/),
    [],
  ]);
});

test('hashes that are known are not made again', async () => {
  const progress: number[][] = [];
  const options = { known: [{ name: 'tiny/config.json', sha256: empty }], onProgress: (done: number, total: number) => progress.push([done, total]) };
  expect(await differences(options)).toEqual([expect.stringContaining('expected config.json with SHA-256 ba7816bf8f01, found e3b0c44298fc')]);
  expect(progress.every(([, total]) => total === 0)).toBe(true);
});

test('the list of a GGUF file is that of its folder', async () => {
  expect((await compareSums(join(folder, 'model.safetensors'))).differences).toEqual([]);
});

test.each([
  ['nothing', ''],
  ['no line end', `${abc}  config.json`],
  ['a folder in a name', `${abc}  ../config.json\n`],
  ['another folder', `${abc}  onnx/config.json\n`],
  ['a folder of weights', `${abc}  2_Dense/config.json\n`],
  ['an absolute name', `${abc}  /etc/passwd\n`],
  ['a hidden name', `${abc}  .config.json\n`],
  ['itself', `${abc}  SHA256SUMS\n`],
  ['one name twice', `${abc}  a\n${empty}  a\n`],
  ['a comment', `# hashes\n${abc}  a\n`],
  ['another hash', `${abc.slice(0, 40)}  a\n`],
  ['large letters', `${abc.toUpperCase()}  a\n`],
  ['a carriage return', `${abc}  a\r\n`],
  ['an escaped name', `\\${abc}  a\\nb\n`],
])('a list with %s is refused', (_, text) => {
  write('SHA256SUMS', text);
  expect(() => readSums(folder)).toThrow('cannot be used: expected lines of sha256sum');
});

test('no list at all', () => {
  rmSync(join(folder, 'SHA256SUMS'));
  expect(() => readSums(folder)).toThrow('expected a readable file, found nothing');
});
