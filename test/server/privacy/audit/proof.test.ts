/** Proofs against those of another implementation (test/fixtures/audit/make.py), and what stands in their way. */
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { root } from '../../../../scripts/node.mjs';
import { pathsOf } from '../../../../server/privacy/audit/folder.ts';
import { readFrames } from '../../../../server/privacy/audit/frames.ts';
import { findRequest, Prover } from '../../../../server/privacy/audit/proof.ts';
import { LogReader } from '../../../../server/privacy/audit/reader.ts';
import { readSegmentEnd } from '../../../../server/privacy/audit/segments.ts';
import { verifyProof } from '../../../../server/privacy/audit/verify.mjs';
import { SiteError } from '../../../../server/privacy/errors.ts';
import { pair, SampleLog, uuid } from './sample-log.ts';

const golden = join(root, 'test', 'fixtures', 'audit');
const read = (name: string): Record<string, unknown> => JSON.parse(readFileSync(join(golden, 'proofs', `${name}.json`), 'utf8'));
let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'inward-proof-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function prove<T>(path: string, work: (prover: Prover) => T): T {
  using prover = new Prover(new LogReader(path));
  return work(prover);
}

function copy(name: string): string {
  const path = join(folder, name);
  cpSync(join(golden, name), path, { recursive: true });
  return path;
}

/** As the log was when it had so many records: only of its first segment. */
function cut(path: string, size: number): void {
  const segment = pathsOf(path).segment(1);
  const bytes = readFileSync(segment);
  for (const { type, offset, size: length, body } of readFrames(bytes)) {
    if (type !== 'checkpoint' || !body.toString().includes(`\n${size}\n`)) continue;
    truncateSync(segment, offset + length);
    writeFileSync(join(path, 'head'), body);
  }
  for (const number of [2, 3]) rmSync(pathsOf(path).segment(number));
}

describe('the same as those of another implementation', () => {
  test('inclusion in a later segment', () => {
    expect(prove(copy('plain'), (prover) => prover.include(2))).toEqual(read('later-segment'));
  });

  test('inclusion in the first segment, where log_created stands alone in the chain', () => {
    const path = copy('plain');
    cut(path, 6);
    expect(prove(path, (prover) => prover.include(4))).toEqual(read('first-segment'));
  });

  test('consistency with an older checkpoint, and with the same', () => {
    const { old } = read('consistency');
    expect(prove(copy('plain'), (prover) => prover.continue(String(old), 'FILE'))).toEqual(read('consistency'));
    const path = copy('plain');
    cut(path, 8);
    expect(prove(path, (prover) => prover.continue(String(read('same-size')['old']), 'FILE'))).toEqual(read('same-size'));
  });

  test('after a purge, with the stubs in the chain', () => {
    expect(prove(copy('purged'), (prover) => prover.include(19))).toEqual(read('after-purge'));
  });

  test.each([
    ['is missing', (path: string) => rmSync(path)],
    ['is short', (path: string) => truncateSync(path, 700)],
    ['is empty', (path: string) => truncateSync(path, 0)],
    ['is of another log', (path: string) => copyFileSync(join(golden, 'purged', 'hashes'), path)],
  ])('where the file of hashes %s', (_, harm) => {
    const path = copy('plain');
    harm(join(path, 'hashes'));
    expect(prove(path, (prover) => prover.include(2))).toEqual(read('later-segment'));
  });
});

test('of a log that goes on meanwhile: against the checkpoint of its beginning', () => {
  const log = new SampleLog(join(folder, '1')).commit(...pair(1));
  using prover = new Prover(new LogReader(log.folder));
  log
    .commit(...pair(2))
    .rotate()
    .commit(...pair(3));
  const proof = prover.include(1);
  expect(proof.checkpoint).toBe(log.notes[1]);
  expect(() => prover.include(3)).toThrow(/^The record 3 is not in the audit log .*: it ends with 2\.$/);
});

test('a request is found by its id: both records, also when a day lies between them', () => {
  const log = new SampleLog(join(folder, '1'))
    .commit(pair(1)[0])
    .commit(...pair(2))
    .rotate();
  log
    .commit(pair(1)[1], pair(3)[0])
    .rotate()
    .commit(...pair(4));
  const reader = new LogReader(log.folder);
  expect(findRequest(reader, uuid(1))).toEqual([1, 5]);
  expect(findRequest(reader, uuid(2))).toEqual([2, 3]);
  expect(findRequest(reader, uuid(3))).toEqual([6]);
  expect(findRequest(reader, uuid(5))).toEqual([]);
});

describe('refused', () => {
  test('a log without a record', () => {
    expect(() => prove(join(folder, '1'), () => undefined)).toThrow(/^There is no record in the audit log/);
  });

  test('an older checkpoint of another log, a later one, and what is none', () => {
    const log = new SampleLog(join(folder, '1')).commit(...pair(1));
    const other = new SampleLog(join(folder, '2'), 'other').commit(...pair(1));
    const before = new SampleLog(join(folder, '3')).commit(...pair(1)).commit(...pair(2));
    using prover = new Prover(new LogReader(log.folder));
    expect(() => prover.continue(other.notes[0] ?? '', 'FILE')).toThrow(`FILE is a checkpoint of the log ${other.id}, and this is ${log.id}.`);
    expect(() => prover.continue(before.notes.at(-1) ?? '', 'FILE')).toThrow(/^FILE tells of 5 records, and the log has 3: it was cut, or is an older copy\.$/);
    expect(() => prover.continue('nothing', 'FILE')).toThrow('FILE is no checkpoint of an audit log.');
  });

  test('a purged record, and hashes that only the purged records could give', () => {
    const log = new SampleLog(join(folder, '1'))
      .commit(...pair(1))
      .rotate()
      .commit(...pair(2));
    const end = readSegmentEnd(pathsOf(log.folder).segment(1));
    log.purge(1, end.record, end.checkpoint);
    prove(log.folder, (prover) => {
      expect(() => prover.include(1)).toThrow(/is not in the audit log .*, or was purged/);
      expect(prover.include(4).index).toBe(4);
    });
    rmSync(join(log.folder, 'hashes'));
    expect(() => prove(log.folder, () => undefined)).toThrow(/hashes: it does not hold what was purged, so that nothing can be proved/);
  });

  test('a record that is not the one of the checkpoint', () => {
    const log = new SampleLog(join(folder, '1')).commit(...pair(1));
    const forged = new SampleLog(join(folder, '2')).commit(pair(1)[0], { event: 'gate_closed' });
    copyFileSync(join(log.folder, 'hashes'), join(forged.folder, 'hashes'));
    const bytes = readFileSync(pathsOf(forged.folder).segment(1));
    const [note] = [...readFrames(bytes)].filter(({ type }) => type === 'checkpoint').slice(-1);
    bytes.fill(0, note?.offset);
    writeFileSync(pathsOf(forged.folder).segment(1), bytes);
    const whole = readFileSync(pathsOf(log.folder).segment(1));
    const [good] = [...readFrames(whole)].filter(({ type }) => type === 'checkpoint').slice(-1);
    writeFileSync(pathsOf(forged.folder).segment(1), Buffer.concat([bytes.subarray(0, note?.offset), whole.subarray(good?.offset)]));
    rmSync(join(forged.folder, 'hashes'));
    const attempt = (): unknown => prove(forged.folder, () => undefined);
    expect(attempt).toThrow(SiteError);
    expect(attempt).toThrow(/the 3 records do not lead to the root of their checkpoint/);
  });
});

describe('an incident with proofs', () => {
  const build = (change: (value: Record<string, unknown>) => void): Record<string, unknown> => {
    const log = new SampleLog(join(folder, '1'))
      .commit(...pair(1))
      .rotate()
      .commit(...pair(2));
    using prover = new Prover(new LogReader(log.folder));
    const { note: checkpoint, chain } = prover;
    const value = { type: 'inward.audit.incident.v1', records: [1, 5], checkpoint, chain, proofs: prover.enter([1, 5]) };
    change(value);
    return value;
  };

  test('is taken by the verifier as a whole', async () => {
    expect(await verifyProof(build(() => undefined))).toMatchObject({ kind: 'incident', records: 2, size: 6, flawCount: 0 });
  });

  test.each<[string, (value: Record<string, unknown>) => void, string]>([
    ['a record without its proof', (value) => (value['proofs'] as unknown[]).pop(), 'proofs'],
    ['a proof of another record', (value) => (value['records'] = [1, 4]), 'proofs'],
    ['a changed record', (value) => edit(value, 'record', (text) => text.replace('documentation', 'quality')), 'proofs[0].path'],
    ['a changed path', (value) => edit(value, 'path', () => []), 'proofs[0].path'],
  ])('%s is a flaw', async (_, change, file) => {
    const { flaws } = await verifyProof(build(change));
    expect(flaws.map((flaw) => flaw.file)).toContain(file);
  });

  function edit(value: Record<string, unknown>, field: string, change: (text: string) => unknown): void {
    const proofs = value['proofs'] as Record<string, unknown>[];
    proofs[0] = { ...proofs[0], [field]: change(String(proofs[0]?.[field])) };
  }
});
