/**
 * Owns copies of the program in which a few lines are others: leaks that a test plants, or work that is left out to see what it costs. They
 * lie in a temporary folder and share node_modules. Refuses to change a line that is not there any more.
 */
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './node.mjs';

export interface Change {
  readonly name: string;
  /** From the top of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Variant extends Disposable {
  readonly folder: string;
}

const parts = ['bin', 'kernels', 'models', 'runtime', 'scripts', 'server', 'package.json', 'package-lock.json'];

/** `imports`: what is put before a file that is changed. Throws where a line is not there any more. */
export function createVariant(changes: readonly Change[], imports: Readonly<Record<string, string>> = {}): Variant {
  const folder = mkdtempSync(join(tmpdir(), 'inward-variant-'));
  for (const part of parts) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(realpathSync(join(root, 'node_modules')), join(folder, 'node_modules'));
  for (const [file, own] of Map.groupBy(changes, (change) => change.file)) {
    let source = readFileSync(join(folder, file), 'utf8');
    for (const { name, find, replace } of own) {
      if (!source.includes(find)) throw new Error(`the place of "${name}" is not in ${file}`);
      source = source.replace(find, () => replace);
    }
    writeFileSync(join(folder, file), `${imports[file] ?? ''}${source}`);
  }
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
