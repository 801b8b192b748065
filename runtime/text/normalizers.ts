/**
 * Owns what happens to a text before it is cut into words: the normalizers of tokenizer.json, by their type. Results are those of the
 * Rust library tokenizers 0.23; the categories of characters are of today's Unicode, the library's of an older one.
 * Refuses types it does not know: another text gives other ids without any error.
 */
import { describe, isObject, type Json, type JsonObject, plainName, unsupported } from '../checkpoint/json.ts';
import { createCharsmap } from './charsmap.ts';
import { compilePattern } from './patterns.ts';

export type Normalizer = (text: string) => string;

/** Rust lowers character by character, so that no sigma is a final one. */
const lower: Normalizer = (text) => text.replaceAll('\u03a3', '\u03c3').toLowerCase();
const chinese = /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

/** BERT's own normalizer. Sources: google-research/bert tokenization.py, the Rust library's bert.rs. */
export function createBertNormalizer(options: {
  readonly cleans: boolean;
  readonly spacesChinese: boolean;
  readonly stripsAccents: boolean;
  readonly lowers: boolean;
}): Normalizer {
  const steps: Normalizer[] = [];
  if (options.cleans)
    steps.push((text) =>
      text
        .replace(/[\t\n\r]/g, ' ')
        .replace(/[\ufffd\p{Cc}\p{Cf}\p{Co}]/gu, '')
        .replace(/\p{White_Space}/gu, ' '),
    );
  if (options.spacesChinese) steps.push((text) => text.replace(chinese, ' $& '));
  if (options.stripsAccents) steps.push((text) => text.normalize('NFD').replace(/\p{Mn}/gu, ''));
  if (options.lowers) steps.push(lower);
  return chain(steps);
}

/** `config`: the value of `normalizer`; `part`: how errors call it. Throws model_unsupported, checkpoint_invalid. */
export function createNormalizer(config: Json | undefined, part = 'normalizer of tokenizer.json'): Normalizer {
  if (config === undefined || config === null) return (text) => text;
  if (!isObject(config)) throw unsupported(part, 'an object', describe(config));
  const type = String(config['type']);
  const create = Object.hasOwn(table, type) ? table[type] : undefined;
  if (create === undefined) throw unsupported(part, Object.keys(table).join(', '), plainName(type, 'another type'));
  return create(config, part);
}

const form = (name: 'NFC' | 'NFD' | 'NFKC' | 'NFKD') => (): Normalizer => (text) => text.normalize(name);

const table: Readonly<Record<string, (config: JsonObject, part: string) => Normalizer>> = {
  Sequence: ({ normalizers }, part) => chain((Array.isArray(normalizers) ? normalizers : []).map((one: Json) => createNormalizer(one, part))),
  NFC: form('NFC'),
  NFD: form('NFD'),
  NFKC: form('NFKC'),
  NFKD: form('NFKD'),
  Lowercase: () => lower,
  StripAccents: () => (text) => text.replace(/\p{M}/gu, ''),
  Strip: (config) => chain([...(config['strip_left'] === false ? [] : [trimStart]), ...(config['strip_right'] === false ? [] : [trimEnd])]),
  Prepend: (config) => {
    const prefix = String(config['prepend']);
    return (text) => (text === '' ? '' : prefix + text);
  },
  Replace: (config, part) => {
    const pattern = compilePattern(config['pattern'], part);
    const content = String(config['content'] ?? '');
    return (text) => text.replace(pattern, () => content);
  },
  BertNormalizer: (config) =>
    createBertNormalizer({
      cleans: config['clean_text'] !== false,
      spacesChinese: config['handle_chinese_chars'] !== false,
      stripsAccents: (config['strip_accents'] ?? config['lowercase'] !== false) === true,
      lowers: config['lowercase'] !== false,
    }),
  Precompiled: (config, part) => {
    const encoded = config['precompiled_charsmap'];
    if (typeof encoded !== 'string') throw unsupported(`precompiled_charsmap of ${part}`, 'a string', describe(encoded));
    return createCharsmap(Buffer.from(encoded, 'base64'), part, 'runs');
  },
};

function chain(steps: readonly Normalizer[]): Normalizer {
  return (text) => steps.reduce((current, step) => step(current), text);
}

function trimStart(text: string): string {
  return text.replace(/^\p{White_Space}+/u, '');
}

/** From where it begins only: looked for from every place on, a long run of spaces would take its square in time. */
function trimEnd(text: string): string {
  return text.replace(/(?<!\p{White_Space})\p{White_Space}+$/u, '');
}
