/**
 * Owns which files of a source make up one model: of a checkpoint folder what loader and tokenizer read, of GGUF files one with all its
 * parts. Refuses to guess which of several GGUF files is meant, and takes nothing else along. Pure.
 */
import { basename, matchesGlob } from 'node:path';
import { quote } from '../../config/kinds.ts';
import { innerForm } from '../../privacy/deployment/manifest.ts';
import { SiteError } from '../../privacy/errors.ts';
import { partForm, plainPath, type Source, type SourceFile, stemOf } from './source.ts';

/** What is read beside the weights; the first is what makes it a folder of a model. */
const companions = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'generation_config.json',
  'chat_template.jinja',
  'chat_template.json',
  'model.safetensors.index.json',
  'modules.json',
  'sentence_bert_config.json',
];

const isCompanion = (path: string): boolean => companions.includes(path) || innerForm.test(path);

/** `weights` of a folder are known when its index has been read. */
export type Choice =
  | { readonly kind: 'folder'; readonly companions: readonly SourceFile[] }
  | { readonly kind: 'gguf'; readonly name: string; readonly files: readonly SourceFile[] };

/** `pattern`: glob for the GGUF files that are meant, by name or path. Throws SiteError. */
export function chooseFiles(source: Source, pattern?: string): Choice {
  const files = source.files.filter(({ path }) => plainPath.test(path));
  if (pattern === undefined && isCheckpoint(files)) {
    return { kind: 'folder', companions: files.filter(({ path }) => isCompanion(path)).map((file) => demandDigest(file, source)) };
  }
  const models = Map.groupBy(
    files.filter(({ path }) => path.endsWith('.gguf')),
    ({ path }) => stemOf(path),
  );
  const meant = [...models].filter(
    ([, parts]) => pattern === undefined || parts.some(({ path }) => [path, basename(path)].some((name) => matchesGlob(name, pattern))),
  );
  const [only, ...others] = meant;
  if (only === undefined) throw new SiteError(describeNone(source, pattern, [...models.keys()]));
  if (others.length > 0) {
    throw new SiteError(
      `${source.label} has several models: expected one, found ${listNames(meant.map(([stem]) => stem))}; say which with --file, as --file ${quote(hintOf(...only))}.`,
    );
  }
  const [stem, parts] = only;
  return { kind: 'gguf', name: basename(stem, '.gguf'), files: orderParts(stem, parts).map((file) => demandDigest(file, source)) };
}

/** The weights of a folder by the names that its index gives. Throws SiteError. */
export function chooseShards(source: Source, names: readonly string[]): readonly SourceFile[] {
  return names.map((name) => {
    const file = source.files.find(({ path }) => path === name);
    if (file === undefined) throw new SiteError(`${source.label} is not complete: expected ${name}, which its index names, found none; fetch the model anew.`);
    return demandDigest(file, source);
  });
}

function isCheckpoint(files: readonly SourceFile[]): boolean {
  const has = (name: string): boolean => files.some(({ path }) => path === name);
  return has('config.json') && (has('model.safetensors') || has('model.safetensors.index.json'));
}

/** All parts in their order, under their names without folders. */
function orderParts(stem: string, parts: readonly SourceFile[]): readonly SourceFile[] {
  const counts = new Set(parts.map(({ path }) => Number(partForm.exec(path)?.[3] ?? 1)));
  const [count = 1] = counts;
  const ordered = parts.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const isWhole = counts.size === 1 && parts.length === count && ordered.every(({ path }, i) => count === 1 || Number(partForm.exec(path)?.[2]) === i + 1);
  if (!isWhole) throw new SiteError(`The model ${basename(stem)} is not complete: expected ${count} parts, found ${parts.length}; fetch all of them.`);
  return ordered.map((file) => ({ ...file, name: basename(file.path) }));
}

function demandDigest(file: SourceFile, source: Source): SourceFile {
  if (file.digest !== undefined || !source.hasDigests) return file;
  throw new SiteError(
    `${source.label} does not say what ${file.path} must be: expected a hash as for its other files, found none; take away what does not belong to the model, or fetch it anew.`,
  );
}

function describeNone(source: Source, pattern: string | undefined, stems: readonly string[]): string {
  if (pattern !== undefined)
    return `${source.label} has no such model: expected a GGUF file that fits --file ${quote(pattern)}, found ${listNames(stems)}; choose one of those.`;
  return `${source.label} has no model: expected config.json with safetensors files, or a GGUF file, found neither; give the folder of a model.`;
}

/** A glob that only this model fits. */
function hintOf(stem: string, parts: readonly SourceFile[]): string {
  return parts.length > 1 ? stem.replace(/\.gguf$/, '-*.gguf') : stem;
}

const namesShown = 40;

function listNames(stems: readonly string[]): string {
  return [...stems.slice(0, namesShown), ...(stems.length > namesShown ? [`${stems.length - namesShown} more`] : [])].join(', ') || 'none';
}
