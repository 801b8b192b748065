import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Child, PeerError } from '../../bench/child.ts';

const folder = mkdtempSync(join(tmpdir(), 'inward-test-'));
const script = join(folder, 'child.mjs');
beforeAll(() =>
  writeFileSync(
    script,
    `import { writeFileSync } from 'node:fs';
    import { answerMessages } from ${JSON.stringify(new URL('../../bench/answer.ts', import.meta.url).href)};
    answerMessages(({ type, value }) => {
      if (type === 'die') process.exit(3);
      if (type === 'fail') throw new Error('it does not want to\\nand has more to say');
      if (type === 'refuse') throw 'no'.repeat(1000);
      return { type: 'ok', value, from: process.env.WHERE };
    }, () => writeFileSync(new URL('closed', import.meta.url), ''));`,
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
  await expect(child.ask({ type: 'refuse' })).rejects.toThrow(new PeerError('no'.repeat(200)));
  expect(await child.ask({ type: 'echo', value: 1 })).toMatchObject({ value: 1 });
  await expect(child.ask({ type: 'die' })).rejects.toThrow(new PeerError('its process ended (exit code 3)'));
  await expect(child.ask({ type: 'echo' })).rejects.toThrow(PeerError);
});

test('it ends with its owner, after what it has to end in order', async () => {
  rmSync(join(folder, 'closed'), { force: true });
  const child = new Child(script, {});
  await child.ask({ type: 'echo' });
  const { pid } = child;
  expect(() => process.kill(pid, 0)).not.toThrow();
  expect(existsSync(join(folder, 'closed'))).toBe(false);
  await child[Symbol.asyncDispose]();
  expect(() => process.kill(pid, 0)).toThrow();
  expect(existsSync(join(folder, 'closed'))).toBe(true);
  await child[Symbol.asyncDispose]();
});
