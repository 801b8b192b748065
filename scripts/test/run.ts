/**
 * `npm test`: both software devices and the default model first, then every test under vitest.
 * `--full` adds the long suite (INWARD_FULL=1); other arguments go to vitest (a file, `-t NAME`).
 * The last line is `N passed, N failed` (with `, N skipped`), and every skipped test has been named with its reason.
 */
import { chooseDriver, type Driver } from '../../runtime/drivers.ts';
import { fail, followParent, root } from '../node.mjs';
import { ensureDefaultModel, ensureDevice } from '../setup/index.ts';
import { summarize } from './summary.ts';

followParent();
process.chdir(root);
await prepare().catch(fail);
// Only now: vitest reads the environment when it is imported, and its workers inherit it when they start.
const { parseCLI, startVitest } = await import('vitest/node');
const args = process.argv.slice(2);
if (args.includes('--full')) process.env['INWARD_FULL'] = '1';
const { filter, options } = parseCLI(['vitest', 'run', ...args.filter((arg) => arg !== '--full')]);
// The clients' tests fetch packages: only who names them gets them.
const vitest = await startVitest(filter, { project: ['unit', 'gpu'], ...options, watch: false });
await vitest.close();
const { lines, isGood } = summarize(vitest.state.getTestModules(), vitest.state.getUnhandledErrors().length);
console.log(lines.join('\n'));
// A device library may keep the process alive; stdout has been written when the callback runs.
process.stdout.write('', () => process.exit(isGood && !process.exitCode ? 0 : 1));

/** Library paths must be there when a process starts; which driver it loads can be said later (VK_DRIVER_FILES). */
async function prepare(): Promise<void> {
  const drivers: Driver[] = [];
  for (const name of ['lavapipe', 'swiftshader'] as const)
    await ensureDevice(name).then(
      (driver) => drivers.push(driver),
      (error: Error) => console.error(error.message),
    );
  if (drivers.length === 0) throw new Error('No software device can be had, so no kernel can be tested.');
  for (const { name, reason } of drivers) console.error(`device: ${name} (${reason})`);
  const inherited = process.env['LD_LIBRARY_PATH']?.split(':') ?? [];
  process.env['LD_LIBRARY_PATH'] = [...new Set([...drivers.flatMap(({ libraryDirs }) => libraryDirs), ...inherited])].join(':');
  process.env['VK_DRIVER_FILES'] = chooseDriver('auto', drivers).icdFile;
  console.error(`model:  ${await ensureDefaultModel()}`);
}
