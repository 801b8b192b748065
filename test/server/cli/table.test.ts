/** Tables for people, as long as a log can be. */
import { expect, test } from 'vitest';
import { createStyle } from '../../../server/cli/style.ts';
import { formatTable } from '../../../server/cli/table.ts';
import { FakeWorld } from '../fake-world.ts';

const { out, environment } = new FakeWorld();
const style = createStyle(out, environment);

test('columns are as wide as their widest cell', () => {
  expect(formatTable(['a', 'long'], [['wide', 'x'], ['', 'y'], ['only']], style)).toBe('a     long\nwide  x\n      y\nonly\n');
});

test('more rows than a call can have arguments', () => {
  const rows = Array.from({ length: 200_000 }, (_, index) => [String(index), 'x']);
  const lines = formatTable(['row', 'what'], rows, style).split('\n');
  expect([lines[0], lines[1], lines.at(-2)]).toEqual(['row     what', '0       x', '199999  x']);
});
