import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { PeerError } from '../../bench/child.ts';
import { measureColdStart } from '../../bench/coldstart.ts';

const listFolders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('inward-bench-'));

test.for([false, true])('a start that gives no text is said, and the empty cache (%s) is taken away again', async (isEmpty) => {
  const before = listFolders();
  const start = measureColdStart({ model: '/no/such/model.gguf', device: 'lavapipe', isEmpty });
  if (isEmpty) expect(listFolders().length).toBeGreaterThan(before.length);
  await expect(start).rejects.toThrow(PeerError);
  await expect(start).rejects.toThrow(/^it ended without a word \(exit code [12]\)$/);
  expect(listFolders()).toEqual(before);
});
