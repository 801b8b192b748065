/**
 * `npm run check`: types, lint and format, import rules, names, unused code, API reference, table of settings. Every finding is an error.
 * `--fix` lets the formatter and linter correct what they can first, and writes what is made from the sources in docs/.
 */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { referencePath, renderReference } from '../docs/reference.ts';
import { fail, followParent, root } from '../node.mjs';
import { CommandError, runCommand } from '../setup/command.ts';
import { listFiles, readTextFile } from './files.ts';
import { findCycles, judgeImport, readImports } from './imports.ts';
import { judgeNames } from './names.ts';

followParent();
process.chdir(root);
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);
const isFixing = process.argv.includes('--fix');
// The tools start with `#!/usr/bin/env node`, which must be this Node.
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, NO_COLOR: '1' };

/** Findings of one check, as lines; none is good. */
type Check = () => Promise<readonly string[]>;

const tool =
  (name: string, ...args: string[]): Check =>
  async () => {
    try {
      await runCommand(bin(name), args, { env });
      return [];
    } catch (error) {
      return [error instanceof CommandError ? `${error.message}\n${error.output}` : String(error)];
    }
  };

const files = await listFiles().catch(fail);
const texts = files.flatMap((path) => {
  const text = readTextFile(path);
  return text === undefined ? [] : [{ path, text }];
});

const checks: Record<string, Check> = {
  types: tool('tsc', '-p', '.'),
  'lint and format': tool('biome', 'check', '--error-on-warnings', '--max-diagnostics=50', ...(isFixing ? ['--write'] : []), '.'),
  'import rules': async () => {
    const imports = texts
      .filter(({ path }) => /\.[cm]?[jt]s$/.test(path) && !path.startsWith('test/fixtures/'))
      .flatMap(({ path, text }) => readImports(path, text));
    return [...imports.flatMap((entry) => judgeImport(entry) ?? []), ...findCycles(imports)];
  },
  names: async () => texts.filter(({ path }) => !path.startsWith('test/fixtures/')).flatMap(({ path, text }) => judgeNames(path, text)),
  'unused code': tool('knip', '--no-config-hints'),
  'API reference': async () => {
    const { text, undocumented } = await renderReference();
    if (isFixing) writeFileSync(join(root, referencePath), text);
    const isStale = !isFixing && readTextFile(referencePath) !== text;
    return [...undocumented, ...(isStale ? [`${referencePath} is not what the sources say: npm run check -- --fix writes it anew.`] : [])];
  },
  'table of settings': async () => {
    const { renderSettings, settingsPath } = await import('../docs/settings.ts');
    const page = readTextFile(settingsPath) ?? '';
    const text = renderSettings(page);
    if (isFixing) writeFileSync(join(root, settingsPath), text);
    return isFixing || page === text ? [] : [`${settingsPath} is not what the sources say: npm run check -- --fix writes its table anew.`];
  },
};

let failures = 0;
for (const [name, check] of Object.entries(checks)) {
  const started = performance.now();
  const findings = await check();
  console.log(`${findings.length === 0 ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  if (findings.length > 0) {
    failures++;
    console.log(findings.join('\n'));
  }
}
console.log(failures === 0 ? `check: all ${Object.keys(checks).length} good` : `check: ${failures} of ${Object.keys(checks).length} failed`);
process.exitCode = failures === 0 ? 0 : 1;
