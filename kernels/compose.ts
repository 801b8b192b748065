/**
 * Owns the making of one WGSL text out of a kernel file: includes, aliases of includes, constants.
 * Refuses conditions and macros: what differs between variants is an include or a constant. `#unroll`: see unroll.ts.
 *
 * `#include "lib/x.wgsl"` inserts a file of this folder once; `#include NAME` inserts the file that the variant
 * gives for NAME. Constants come first as `const NAME = value;` (not `override`: they size arrays).
 * SHUFFLES is given for every variant: it depends on the device.
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
  /** In place of some of these where shuffles are emulated, which takes workgroup memory. */
  readonly emulated?: Readonly<Record<string, number>>;
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
 * How lanes get at each other's values: by subgroup operations, or through workgroup memory where the device has none.
 * `pinned`: for devices with several subgroup sizes, demands the one that the variant is made for.
 */
export type Subgroups = 'native' | 'pinned' | 'emulated';

export const emulatedShuffles = 'lib/shuffles_emulated.wgsl';

/** The WGSL text of a variant; throws on an include that the variant does not name. A variant may ask for emulated shuffles by itself. */
export function compose(source: VariantSource, device: Subgroups = 'native'): string {
  const includes = { SHUFFLES: device === 'emulated' ? emulatedShuffles : 'lib/shuffles_native.wgsl', ...source.includes };
  const subgroups = includes.SHUFFLES === emulatedShuffles ? 'emulated' : device;
  const given = subgroups === 'emulated' ? { SUBGROUPS: 1, ...source.constants, ...source.emulated } : (source.constants ?? {});
  const done = new Set<string>();
  const directives: string[] = [];
  const expand = (file: string): string =>
    readSource(file)
      .replace(/^(?:enable|requires|diagnostic)\b[^;]+;$/gm, (directive) => {
        directives.push(directive);
        return '';
      })
      .replace(/^#include (\S+)$/gm, (_, name: string) => {
        const target = name.startsWith('"') ? name.slice(1, -1) : (includes as Readonly<Record<string, string>>)[name];
        if (target === undefined) throw new Error(`${source.file}: no file given for #include ${name}`);
        if (done.has(target)) return '';
        done.add(target);
        return expand(target);
      });
  const plain = unroll(expand(source.file), given, source.file);
  const body = subgroups === 'pinned' ? pin(plain) : done.has(emulatedShuffles) ? tellLane(plain, source.file) : plain;
  if (subgroups === 'pinned' && body !== plain) directives.push('enable subgroup_size_control;');
  const constants = Object.entries(given).map(([name, value]) => `const ${name} = ${typeof value === 'number' ? `${value}u` : value};`);
  return [...new Set(directives), ...constants, body].join('\n');
}

function pin(text: string): string {
  return text.replace(/@workgroup_size\(LANES( \* SUBGROUPS)?\)/, '$& @subgroup_size(LANES)');
}

/** Sets what lib/shuffles_emulated.wgsl knows an invocation by. */
function tellLane(text: string, file: string): string {
  const start = '@builtin(local_invocation_index) lane: u32) {';
  if (!text.includes(start)) throw new Error(`${file}: main does not end its parameters with ${start}`);
  return text.replace(start, `${start}\n  ownLane = lane;`);
}

/** SHA-256 of every file of a folder, names included; of this one unless told otherwise: what was measured with other kernels says nothing about these. */
export function hashKernels(path: string = fileURLToPath(folder)): string {
  const hash = createHash('sha256');
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const file of files.map(({ parentPath, name }) => join(parentPath, name)).sort())
    hash.update(relative(path, file)).update('\0').update(readFileSync(file));
  return hash.digest('hex');
}
