/**
 * Owns where tests find their material: fixtures in the repository, and the larger folder that INWARD_TEST_DATA names.
 * Refuses to skip silently: without the variable it prints one line, and a folder that is not there is an error.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const fixtures = join(import.meta.dirname, 'fixtures');

/** Where a fixture lies. */
export function fixturePath(name: string): string {
  return join(fixtures, name);
}

/** A fixture's bytes; names ending in .gz are unpacked. */
export function readFixture(name: string): Buffer {
  const bytes = readFileSync(join(fixtures, name));
  return name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}

/** The folder named by INWARD_TEST_DATA; undefined after saying what is left out where nothing is named. */
export function findTestData(what: string): string | undefined {
  const folder = process.env['INWARD_TEST_DATA'];
  if (folder === undefined) {
    console.log(`INWARD_TEST_DATA names no folder: left out: ${what}`);
    return undefined;
  }
  if (!existsSync(folder)) throw new Error('INWARD_TEST_DATA names a folder that is not there');
  return folder;
}

export interface MalformedCase {
  readonly id: string;
  readonly expect: 'accept' | 'reject' | 'either' | 'reject-at-render' | 'no-effect';
  readonly condition: string;
  readonly bytes: Buffer;
}

/** The malformed files of the fixtures. */
export function malformedCases(format: 'gguf' | 'safetensors' = 'gguf'): MalformedCase[] {
  const lines = readFixture(`malformed/${format}-cases.jsonl.gz`).toString('utf8').trim().split('\n');
  return lines.map((line) => {
    const { id, expect, condition, base64 } = JSON.parse(line);
    return { id, expect, condition, bytes: Buffer.from(base64, 'base64') };
  });
}
