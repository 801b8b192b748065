/** Departments and their quotas. */
import { expect, test } from 'vitest';
import { dayMs } from '../../../server/cli/values.ts';
import { TestSite } from '../site-folder.ts';

test('add, list with what was used today, change quotas', async () => {
  using site = await TestSite.create();
  await site.do('anna', 'tenant', 'add', 'cardiology', '--tokens-per-day', '5000');
  const today = Math.floor(Date.now() / dayMs);
  await site.change(async (store) => {
    await store.addUsage(today - 1, [{ scope: 'tenant', id: 'main', tokens: 9 }]);
    await store.addUsage(today, [
      { scope: 'tenant', id: 'cardiology', tokens: 42 },
      { scope: 'key', id: 'abcdefghjk', tokens: 7 },
    ]);
  });
  expect(await site.json('carl', 'tenant', 'list')).toEqual([
    { code: 'main', usedToday: 0 },
    { code: 'cardiology', tokensPerDay: 5000, usedToday: 42 },
  ]);
  expect(await site.do('carl', 'tenant', 'list')).toMatch(/^cardiology +- +5000 +42$/m);
  const numbers = async (): Promise<number[]> => (await site.load()).tenants.map(({ number }) => number);
  const before = await numbers();
  expect(await site.do('anna', 'tenant', 'quota', 'cardiology', '--tokens-per-minute', '100')).toBe(
    'The tenant cardiology has 100 tokens per minute and 5000 tokens per day.\n',
  );
  expect(await site.do('anna', 'tenant', 'quota', 'cardiology', '--tokens-per-day', 'none')).toBe(
    'The tenant cardiology has 100 tokens per minute and no limit of tokens per day.\n',
  );
  expect((await site.load()).tenants[1]).toMatchObject({ code: 'cardiology', tokensPerMinute: 100 });
  expect((await site.load()).tenants[1]).not.toHaveProperty('tokensPerDay', expect.anything());
  expect(await numbers()).toEqual(before);
});

test.each([
  [['tenant', 'add', 'Cardiology'], 2],
  [['tenant', 'add', 'cardiology', '--tokens-per-day', '0'], 2],
  [['tenant', 'add', 'cardiology', '--tokens-per-day', 'none'], 2],
  [['tenant', 'add', 'main'], 1],
  [['tenant', 'quota', 'main'], 2],
  [['tenant', 'quota', 'main', '--tokens-per-day', '1e6'], 2],
  [['tenant', 'quota', 'nowhere', '--tokens-per-day', '5'], 1],
])('%j is refused', async (args, code) => {
  using site = await TestSite.create();
  const before = await site.load();
  const ran = await site.run('anna', ...args);
  expect([ran.code, ran.printed]).toEqual([code, '']);
  expect(ran.complained).not.toBe('');
  expect(await site.load()).toEqual(before);
});
