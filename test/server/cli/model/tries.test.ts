/** Pauses between tries: doubled, as asked for, bounded; and what is not tried again. */
import { expect, test } from 'vitest';
import { Passing, type Patience, Tries } from '../../../../server/cli/model/tries.ts';
import { SiteError } from '../../../../server/privacy/errors.ts';

function create(): { readonly pauses: number[]; readonly tries: Tries } {
  const pauses: number[] = [];
  const patience: Patience = { tries: 5, pauseMs: 100, longestMs: 300, sleep: async (ms) => pauses.push(ms) };
  return { pauses, tries: new Tries(patience, 'The file') };
}

test('four pauses for five tries, then a sentence with what was found last', async () => {
  const { pauses, tries } = create();
  for (let i = 0; i < 4; i++) await tries.pause(new Passing('status 503'));
  await expect(tries.pause(Object.assign(new Error('secret'), { code: 'ECONNRESET' }))).rejects.toThrow(
    new SiteError('The file cannot be fetched: expected an answer, found ECONNRESET, 5 times in a row; give the same command again later: it goes on there.'),
  );
  expect(pauses).toEqual([100, 200, 300, 300]);
});

test('progress begins the count anew; a wait that was asked for is kept within the limit', async () => {
  const { pauses, tries } = create();
  await tries.pause(new Passing('status 429', 150));
  await tries.pause(new Passing('status 429', 1e9));
  tries.reset();
  await tries.pause(new Passing('status 429', -5));
  expect(pauses).toEqual([150, 300, 100]);
});

test('what will not get better is thrown as it is', async () => {
  const { pauses, tries } = create();
  const error = new SiteError('No.');
  await expect(tries.pause(error)).rejects.toBe(error);
  expect(pauses).toEqual([]);
});
