/** Nodes of a log's tree from its file of hashes and its records, against the vectors of another implementation (test/fixtures/audit). */
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { root } from '../../../../scripts/node.mjs';
import { openNodes } from '../../../../server/privacy/audit/nodes.ts';
import { readCheckpoint } from '../../../../server/privacy/audit/note.ts';
import { LogReader } from '../../../../server/privacy/audit/reader.ts';
import { hashTree } from '../../../../server/privacy/audit/tree.ts';

const golden = join(root, 'test', 'fixtures', 'audit');
const { log } = JSON.parse(readFileSync(join(golden, 'vectors.json'), 'utf8')) as { log: { checkpoints: readonly { size: number; text: string }[] } };
const checkpoints = log.checkpoints.map(({ text }) => readCheckpoint(text)!);

let path = '';
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'inward-nodes-')), '1');
  cpSync(join(golden, 'plain'), path, { recursive: true });
});
afterEach(() => rmSync(join(path, '..'), { recursive: true, force: true }));

/** Roots of every checkpoint that the log has had, by the nodes of the last one. */
function readRoots(): Buffer[] {
  using nodes = openNodes(new LogReader(path), checkpoints.at(-1)!);
  return checkpoints.map(({ size }) => Buffer.from(hashTree(nodes, size)));
}

test('however much of the file is there, the roots are those of the checkpoints', () => {
  const expected = checkpoints.map(({ root: hash }) => hash);
  const whole = readFileSync(join(path, 'hashes'));
  expect(readRoots()).toEqual(expected);
  for (let size = 0; size < whole.length; size += 17) {
    writeFileSync(join(path, 'hashes'), whole.subarray(0, size));
    expect(readRoots()).toEqual(expected);
  }
  rmSync(join(path, 'hashes'));
  expect(readRoots()).toEqual(expected);
});

test('of an older checkpoint, although more is there', () => {
  for (const checkpoint of checkpoints) {
    using nodes = openNodes(new LogReader(path), checkpoint);
    expect(Buffer.from(hashTree(nodes, checkpoint.size))).toEqual(checkpoint.root);
  }
});

test('a root that neither file nor records lead to is refused', () => {
  const last = checkpoints.at(-1)!;
  const attempt = (): unknown => openNodes(new LogReader(path), { ...last, root: Buffer.alloc(32, 7) });
  expect(attempt).toThrow(/records do not lead to the root of their checkpoint; inward audit verify says more\.$/);
  truncateSync(join(path, 'hashes'), 0);
  expect(attempt).toThrow(/records do not lead to the root of their checkpoint/);
});
