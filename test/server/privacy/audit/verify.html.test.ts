/**
 * The verifier's page: whole, closed to the network by its own policy, and its script run in a Node without Buffer, process and
 * modules, with a document of a few lines. No browser is here: what it draws, and that it keeps to the policy, is not tested.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { root } from '../../../../scripts/node.mjs';
import { createVerifierPage } from '../../../../server/privacy/audit/verify.html.ts';
import { fixtures, readFixture } from './logs.ts';

const script = readFileSync(join(root, 'server/privacy/audit/verify.mjs'), 'utf8');
const html = createVerifierPage(script);
const folder = mkdtempSync(join(tmpdir(), 'inward-page-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const part = (name: string): string => new RegExp(`<${name}[^>]*>([\\s\\S]*?)</${name}>`).exec(html)![1]!;
const hashSource = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

test('the policy permits this script and this style, and nothing else', () => {
  const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)!;
  expect(policy!.split('; ')).toEqual([
    "default-src 'none'",
    `script-src ${hashSource(part('script'))}`,
    `style-src ${hashSource(part('style'))}`,
    "base-uri 'none'",
    "form-action 'none'",
  ]);
  expect(html.match(/<script/g)).toHaveLength(1);
  expect(html).not.toMatch(/\s(?:src|href|on\w+|style)=/);
  expect(() => createVerifierPage('"</script>"')).toThrow('would end its element');
});

/** Chooses files in a document of a few lines, and gives the text of what the page shows. */
async function choose(input: string, paths: readonly string[], fields: { key?: string; witness?: string }): Promise<string> {
  const files = paths.map((path) => ({ path, bytes: readFileSync(join(fixtures, path)).toString('base64') }));
  const witness = fields.witness === undefined ? [] : [{ path: fields.witness, bytes: readFileSync(join(fixtures, fields.witness)).toString('base64') }];
  writeFileSync(join(folder, 'page.mjs'), part('script'));
  writeFileSync(
    join(folder, 'run.mjs'),
    `
const { stdout } = process;
const makeFile = ({ path, bytes }) => Object.assign(new Blob([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))]), { name: path.split('/').at(-1), webkitRelativePath: path });
const makeElement = () => ({ value: '', files: [], listeners: {}, children: [],
  append(...all) { this.children.push(...all); }, replaceChildren() { this.children = []; },
  addEventListener(name, listener) { this.listeners[name] = listener; } });
const elements = {};
globalThis.document = { ...makeElement(), createElement: makeElement, getElementById: (id) => (elements[id] ??= makeElement()) };
for (const name of ['Buffer', 'process', 'require', 'module']) delete globalThis[name];
await import('./page.mjs');
elements.key.value = ${JSON.stringify(fields.key ?? '')};
document.getElementById("witness").files = ${JSON.stringify(witness)}.map(makeFile);
await elements[${JSON.stringify(input)}].listeners.change({ target: { files: ${JSON.stringify(files)}.map(makeFile) } });
const read = (element) => [element.className, element.textContent, ...element.children.map(read)].flat().filter((text) => text);
stdout.write([...read(elements.result), 'done ' + (elements.progress.value === elements.progress.max)].join('\\n'));
`,
  );
  return (await promisify(execFile)(process.execPath, [join(folder, 'run.mjs')])).stdout;
}

const plain = ['00000001.log', '00000002.log', '00000003.log', 'head', 'hashes'].map((name) => `plain/${name}`);

test('a folder with its key and witness is intact; a forked one is not, nor one with a file missing', async () => {
  const good = await choose('folder', plain, { key: readFixture('plain.key').trim(), witness: 'plain.witness' });
  expect(good).toMatch(/^good\nLog plain: intact\n[\s\S]*INTACT: every check passed\.\ndone true$/);
  expect(await choose('folder', plain, { witness: 'fork.witness' })).toMatch(/^bad\nLog plain: DAMAGED\n[\s\S]*witness, byte 0, record 27: .*two histories/);
  expect(await choose('folder', plain.toSpliced(1, 1), {})).toMatch(/^bad\nLog plain: DAMAGED\n[\s\S]*00000002\.log: Segment 2 is missing/);
});

test('a proof is shown; what is neither is refused in a sentence', async () => {
  expect(await choose('proof', ['proofs/consistency.json'], {})).toMatch(/^good\nProof consistency\.json: intact\n[\s\S]*the first 6 of 28 records/);
  expect(await choose('proof', ['mini.key'], {})).toMatch(/^bad\nProof mini\.key: DAMAGED\n[\s\S]*This is no proof/);
  expect(await choose('folder', ['plain/head', 'plain/hashes'], {})).toMatch(/^bad\nNot checked\nThere is neither a log nor a proof/);
  expect(await choose('folder', plain, { key: 'abc' })).toMatch(/^bad\nNot checked\nThe key is none/);
});
