/** The trail of an evaluation, where nobody is known: whoever may read the folder may look, until the site is set up. */
import { expect, test } from 'vitest';
import { runCommand } from '../../../../server/cli/index.ts';
import { ensureEvaluation } from '../../../../server/evaluation.ts';
import { recordFromCommand } from '../../../../server/privacy/audit/changes.ts';
import { openStore } from '../../../../server/privacy/store/sqlite.ts';
import { FakeWorld } from '../../fake-world.ts';
import { TestSite } from '../../site-folder.ts';

async function run(site: TestSite, ...args: readonly string[]): Promise<readonly [number, string, string]> {
  const world = new FakeWorld();
  Object.assign(world, { folder: site.home, environment: { INWARD_SITE: site.folder } });
  return [await runCommand(args, world), world.printed, world.complained];
}

test('an evaluation is looked at without an identity, a site that was set up is not', async () => {
  using site = new TestSite();
  {
    await using store = await openStore(site.path, { create: true });
    await ensureEvaluation(store, site.folder, Date.now());
    await recordFromCommand(site.folder, store, { kind: 'command', version: '0.0.0', profile: '0'.repeat(64) });
  }
  const [code, printed] = await run(site, 'audit', 'show');
  expect(code).toBe(0);
  expect(printed).toMatch(/key_created +setup/);
  const [verified, report] = await run(site, 'audit', 'verify');
  expect([verified, report.includes('INTACT')]).toEqual([0, true]);
  // The check is on record too.
  expect((await run(site, 'audit', 'show', '--event', 'audit_verified'))[1]).toContain('intact=true');

  using real = await TestSite.create();
  const [refused, , sentence] = await run(real, 'audit', 'show');
  expect(refused).toBe(1);
  expect(sentence).toContain('This command must know who gives it');
});
