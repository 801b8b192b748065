/** The examples of a deployment: their settings exist, and another program than ours judges the unit. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { environmentName, settingTable } from '../../server/config/table.ts';

const folder = join(import.meta.dirname, '../../examples/deploy');
const unit = join(folder, 'inward.service');

test('every variable in them is one that the program reads', () => {
  const known = new Set(['INWARD_CACHE', ...Object.keys(settingTable).map(environmentName)]);
  for (const name of ['inward.service', 'Containerfile', 'compose.yaml']) {
    const used = readFileSync(join(folder, name), 'utf8').match(/\bINWARD_\w+/g) ?? [];
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((variable) => !known.has(variable))).toEqual([]);
  }
});

test('no swap and no cores, in both', () => {
  const lines = readFileSync(unit, 'utf8').split('\n');
  expect(lines).toEqual(expect.arrayContaining(['MemorySwapMax=0', 'LimitCORE=0', 'ProtectSystem=strict', 'NoNewPrivileges=yes']));
  const compose = readFileSync(join(folder, 'compose.yaml'), 'utf8');
  const limit = (name: string): string | undefined => new RegExp(`^ +${name}: (\\S+)$`, 'm').exec(compose)?.[1];
  // Docker's limit of memory and swap together: the same number is no swap.
  expect(limit('memswap_limit')).toBe(limit('mem_limit'));
  expect(compose).toMatch(/^ +ulimits: \{ core: 0 \}$/m);
});

test("systemd's own judgement of the unit: every line is known, and little is left open", (context) => {
  if (spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=100', unit]).status !== 0)
    return context.skip('needs systemd-analyze 250 or newer');
  const verdict = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
  // That the program is not installed here says nothing of the unit.
  expect(`${verdict.stdout}${verdict.stderr}`.split('\n').filter((line) => line !== '' && !line.includes('/opt/inward'))).toEqual([]);
  // Of 10; what is left is that it serves a network, sees other processes, and opens GPUs.
  expect(spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=20', unit]).status).toBe(0);
});
