/** The access review on the terminal and for a spreadsheet. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Review } from '../../../server/privacy/review.ts';
import { TestSite } from '../site-folder.ts';

async function fill(site: TestSite): Promise<void> {
  const scopes = ['--networks', '10.1.0.0/16,10.2.0.0/16', '--models', 'qwen', '--hours', 'mon-fri 07:00-19:00 UTC', '--tokens-per-day', '5'];
  await site.do('anna', 'key', 'create', '--label', 'scribe', '--purposes', 'documentation,coding', ...scopes);
  await site.do('anna', 'key', 'create', '--label', 'wide', '--purposes', 'coding', '--token-issuer', '=cmd()', '--token-subject', '@evil');
  await site.do('anna', 'key', 'seal', '--label', 'emergency');
  await site.do('anna', 'person', 'add', 'temp', '--roles', 'operator,viewer', '--token-issuer', '+1', '--token-subject', '-1');
  await site.do('anna', 'person', 'revoke', 'temp');
}

test('on the terminal: people, keys, and what is worth a look', async () => {
  using site = await TestSite.create();
  expect(await site.do('carl', 'review')).toContain('Nothing stands out.');
  await fill(site);
  const printed = await site.do('carl', 'review');
  expect(printed).toMatch(/^Access review of st-marys in us-east, \d{4}-\d\d-\d\d \d\d:\d\d UTC$/m);
  expect(printed).toMatch(/^temp +operator,viewer +revoked +\+1 -1 /m);
  expect(printed).toMatch(
    /^.{10} +scribe +main +phi +valid .* anna +documentation,coding +chat,completions,models; qwen; from 10\.1\.0\.0\/16,10\.2\.0\.0\/16; mon-fri 07:00-19:00 UTC; 5 tokens\/day; paced$/m,
  );
  const review = await site.json<Review>('carl', 'review');
  const [scribe, wide, emergency] = ['scribe', 'wide', 'emergency'].map((label) => review.keys.find((key) => key.label === label));
  expect(scribe?.findings).toEqual([]);
  for (const sentence of ['is taken from every network', 'may use every model', 'has no limit of tokens, and its tenant has none'])
    expect(printed).toContain(`  ${wide?.id} ${sentence}\n`);
  expect(printed).toContain(`  ${emergency?.id} was never used: see that its envelope is whole\n`);
  expect(printed).not.toContain(`  ${scribe?.id} `);
});

test('for a spreadsheet: a new file that only this user can read, in which nothing is a formula', async () => {
  using site = await TestSite.create();
  await fill(site);
  const path = join(site.home, 'review.csv');
  expect(await site.do('carl', 'review', '--csv', 'review.csv')).toBe(`The review is in ${path}.\n`);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const text = readFileSync(path, 'utf8');
  const [headings = '', ...lines] = text.trimEnd().split('\r\n');
  // Of the cells only findings have commas, and so quotes.
  const rows = lines.map((line) => line.replace(/"[^"]*"/, (cell) => cell.slice(1, -1).replaceAll(',', '')));
  const names = headings.split(',');
  const table = rows.map((row) => Object.fromEntries(row.split(',').map((cell, index) => [names[index], cell])));
  expect(table.map(({ type, id, label }) => [type, type === 'person' ? id : label])).toEqual(
    expect.arrayContaining([
      ['person', 'anna'],
      ['person', 'carl'],
      ['person', 'temp'],
      ['key', 'scribe'],
      ['key', 'wide'],
      ['key', 'emergency'],
    ]),
  );
  expect(table).toHaveLength(6);
  for (const row of rows) expect(row.split(',')).toHaveLength(names.length);
  expect(table.find(({ id }) => id === 'temp')).toMatchObject({
    roles: 'operator viewer',
    state: 'revoked',
    'known by': 'token',
    token: "'+1 -1",
    'made by': 'anna',
    'revoked by': 'anna',
  });
  expect(table.find(({ label }) => label === 'scribe')).toMatchObject({
    ...{
      data: 'phi',
      purposes: 'documentation coding',
      routes: 'chat completions models',
      models: 'qwen',
      networks: '10.1.0.0/16 10.2.0.0/16',
      hours: 'mon-fri 07:00-19:00 UTC',
    },
    ...{ 'tokens per day': '5', 'tokens per minute': '', priority: 'interactive', 'break-glass': 'no', findings: '' },
  });
  expect(text).toContain("'=cmd() @evil");
  expect(text).not.toMatch(/(^|,)[=+@-]/m);
  writeFileSync(path, 'something else');
  expect((await site.run('carl', 'review', '--csv', 'review.csv')).complained).toMatch(/is there already and is not overwritten/);
  expect(readFileSync(path, 'utf8')).toBe('something else');
  expect((await site.run('carl', 'review', '--csv', 'x.csv', '--json')).code).toBe(2);
});
