import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Child, PeerError } from '../../bench/child.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-test-'));
const script = join(folder, 'child.mjs');
beforeAll(() =>
  writeFileSync(
    script,
    `process.on('message', ({ type, value }) => {
      if (type === 'close' || type === 'die') process.exit(type === 'die' ? 3 : 0);
      process.send(type === 'fail' ? { type: 'failed', reason: 'it does not want to' } : { type: 'ok', value, from: process.env.WHERE });
    });`,
  ),
);
afterAll(() => rmSync(folder, { recursive: true }));

test('answers come back with typed arrays, and the environment is what was given', async () => {
  await using child = new Child(script, { WHERE: 'here' });
  expect(await child.ask({ type: 'echo', value: Float32Array.of(1, 2) })).toEqual({ type: 'ok', value: Float32Array.of(1, 2), from: 'here' });
});

test('a refusal and an end are PeerErrors, and later questions too; after a refusal it goes on', async () => {
  await using child = new Child(script, {});
  await expect(child.ask({ type: 'fail' })).rejects.toThrow(new PeerError('it does not want to'));
  expect(await child.ask({ type: 'echo', value: 1 })).toMatchObject({ value: 1 });
  await expect(child.ask({ type: 'die' })).rejects.toThrow(new PeerError('its process ended (exit code 3)'));
  await expect(child.ask({ type: 'echo' })).rejects.toThrow(PeerError);
});

test('it ends with its owner', async () => {
  const child = new Child(script, {});
  await child.ask({ type: 'echo' });
  const { pid } = child;
  expect(() => process.kill(pid, 0)).not.toThrow();
  await child[Symbol.asyncDispose]();
  expect(() => process.kill(pid, 0)).toThrow();
  await child[Symbol.asyncDispose]();
});
