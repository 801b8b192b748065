/**
 * Owns the making of one WGSL text out of a kernel file: includes, aliases of includes, constants.
 * Refuses conditions and macros: what differs between variants is an include or a constant. `#unroll`: see unroll.ts.
 *
 * `#include "lib/x.wgsl"` inserts a file of this folder once; `#include NAME` inserts the file that the variant
 * gives for NAME. Constants come first as `const NAME = value;` (not `override`: they size arrays).
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unroll } from './unroll.ts';

export interface VariantSource {
  /** File in this folder, e.g. `matmul_int8.wgsl`. */
  readonly file: string;
  readonly includes?: Readonly<Record<string, string>>;
  /** Numbers become u32 constants. */
  readonly constants?: Readonly<Record<string, number | boolean>>;
}

const folder = new URL('./', import.meta.url);
const texts = new Map<string, string>();

function readSource(file: string): string {
  let text = texts.get(file);
  if (text === undefined) {
    text = readFileSync(new URL(file, folder), 'utf8');
    texts.set(file, text);
  }
  return text;
}

/**
 * The WGSL text of a variant; throws on an include that the variant does not name. `pinSubgroups`: for devices with
 * several subgroup sizes, demands the one that the variant is made for.
 */
export function compose(source: VariantSource, pinSubgroups = false): string {
  const done = new Set<string>();
  const directives: string[] = [];
  const expand = (file: string): string =>
    readSource(file)
      .replace(/^(?:enable|requires) [^;]+;$/gm, (directive) => {
        directives.push(directive);
        return '';
      })
      .replace(/^#include (\S+)$/gm, (_, name: string) => {
        const target = name.startsWith('"') ? name.slice(1, -1) : source.includes?.[name];
        if (target === undefined) throw new Error(`${source.file}: no file given for #include ${name}`);
        if (done.has(target)) return '';
        done.add(target);
        return expand(target);
      });
  const plain = unroll(expand(source.file), source.constants ?? {}, source.file);
  const body = pinSubgroups ? plain.replace('@workgroup_size(LANES)', '@workgroup_size(LANES) @subgroup_size(LANES)') : plain;
  if (body !== plain) directives.push('enable subgroup_size_control;');
  const constants = Object.entries(source.constants ?? {}).map(([name, value]) => `const ${name} = ${typeof value === 'number' ? `${value}u` : value};`);
  return [...new Set(directives), ...constants, body].join('\n');
}

/** SHA-256 of every file of this folder, names included: what was measured with other kernels says nothing about these. */
export function hashKernels(): string {
  const hash = createHash('sha256');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const path of files.map(({ parentPath, name }) => join(parentPath, name)).sort())
    hash
      .update(relative(fileURLToPath(folder), path))
      .update('\0')
      .update(readFileSync(path));
  return hash.digest('hex');
}
