import { expect, test } from 'vitest';
import { createStyle } from '../../server/cli/style.ts';

const output = (isTTY: boolean | undefined): { write(): void; isTTY?: boolean } => ({ write: () => undefined, ...(isTTY === undefined ? {} : { isTTY }) });

// biome-ignore format: a table
test.each<[string, boolean | undefined, Record<string, string>, boolean]>([
  ['a terminal', true, {}, true],
  ['a pipe', undefined, {}, false],
  ['a file', false, { TERM: 'xterm' }, false],
  ['NO_COLOR', true, { NO_COLOR: '1' }, false],
  ['an empty NO_COLOR, which does not count', true, { NO_COLOR: '' }, true],
  ['TERM=dumb', true, { TERM: 'dumb' }, false],
  ['FORCE_COLOR=0', true, { FORCE_COLOR: '0' }, false],
  ['FORCE_COLOR=1 on a pipe', undefined, { FORCE_COLOR: '1' }, true],
  ['FORCE_COLOR=1 over NO_COLOR and a dumb terminal', false, { FORCE_COLOR: '1', NO_COLOR: '1', TERM: 'dumb' }, true],
])('colour: %s', (_, isTTY, environment, isColoured) => {
  const style = createStyle(output(isTTY), environment);
  expect(style.bad('x')).toBe(isColoured ? '\x1b[31mx\x1b[39m' : 'x');
  expect(style.bold('')).toBe('');
});
