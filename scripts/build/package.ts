/**
 * Owns what the published package is: the clone's own layout with JavaScript and declarations in place of TypeScript,
 * kernels and word lists beside their modules, the launcher, the papers, and a package.json whose doors lead to JavaScript.
 * Refuses tests, benches, references of kernels and anything else that only a developer needs.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../node.mjs';
import { CommandError, runCommand } from '../setup/command.ts';

/** What is copied as it is. */
const copies = [
  'bin/inward.mjs',
  'scripts/node.mjs',
  'scripts/progress.mjs',
  'scripts/setup.mjs',
  'models/releases',
  'runtime/lockdown.py',
  'server/privacy/audit/verify.mjs',
  'server/privacy/audit/verify.d.mts',
  'server/privacy/audit/verify-page.mjs',
  'LICENSE',
  'README.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'docs',
];
/** Keys of package.json that a user of the package needs. */
const keys = ['name', 'version', 'private', 'description', 'keywords', 'license', 'type', 'engines', 'bin', 'dependencies'] as const;

interface Manifest extends Record<(typeof keys)[number], unknown> {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
}

export interface BuiltPackage {
  readonly name: string;
  readonly version: string;
  readonly fileCount: number;
}

/** Writes the package into a folder, which is emptied first. Throws an Error with what the compiler said. */
export async function buildPackage(folder: string): Promise<BuiltPackage> {
  rmSync(folder, { recursive: true, force: true });
  await compile(folder);
  for (const path of [...copies, ...listKernels(), ...listWordLists()]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(root, path), join(folder, path), { recursive: true });
  }
  const manifest: Manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(publishedManifest(manifest), undefined, 2)}\n`);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return { name: manifest.name, version: manifest.version, fileCount: files.length };
}

async function compile(folder: string): Promise<void> {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    await runCommand(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', folder], { cwd: root });
  } catch (error) {
    throw error instanceof CommandError ? new Error(`The sources do not compile; npm run check says more.\n${error.output}`) : error;
  }
}

function listKernels(): string[] {
  return readdirSync(join(root, 'kernels'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.wgsl'))
    .map((path) => join('kernels', path));
}

/** Words of the detector of identifiers, with what says whose they are. */
function listWordLists(): string[] {
  const folder = join('server', 'privacy', 'deid', 'data');
  return readdirSync(join(root, folder), { encoding: 'utf8' })
    .filter((name) => /\.(?:txt|md)$/.test(name))
    .map((name) => join(folder, name));
}

function publishedManifest(manifest: Manifest): object {
  const doors = Object.entries(manifest.exports).map(([door, path]) => [door, path.endsWith('.ts') ? toJavaScript(path) : path]);
  return { ...Object.fromEntries(keys.map((key) => [key, manifest[key]])), exports: Object.fromEntries(doors) };
}

function toJavaScript(path: string): { readonly types: string; readonly default: string } {
  const stem = path.slice(0, -'.ts'.length);
  return { types: `${stem}.d.ts`, default: `${stem}.js` };
}
