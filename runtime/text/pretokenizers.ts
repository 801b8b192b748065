/**
 * Owns the table of pre-tokenizers: value of `tokenizer.ggml.pre` -> the expressions that cut text into words before
 * merging, and what else the name decides. The expressions are those of the models' own tokenizer files; names and
 * their grouping are llama.cpp's. Refuses names it does not know: a wrong cut gives wrong ids without any error.
 */
import { gpt2Expression as gpt2 } from './splits.ts';

export interface PreTokenizer {
  /** Applied one after the other; each isolates its matches and keeps what lies between them. */
  readonly patterns: readonly string[];
  /** A word that is a token as a whole is not built from merges. */
  readonly ignoreMerges: boolean;
  /** Text is brought to Unicode NFC first, as the models' own tokenizer files ask (llama.cpp leaves it out). */
  readonly nfc: boolean;
  /** Whether BOS is added where the file does not say. */
  readonly addBos: boolean;
}

const contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const spaces = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const symbols = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*';
const word = '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+';
const llama3 = `${contraction}|${word}|\\p{N}{1,3}|${symbols}|${spaces}`;
const qwen2 = `${contraction}|${word}|\\p{N}|${symbols}|${spaces}`;
/** As qwen2, with combining marks as part of a word. */
const qwen35 = `${contraction}|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${spaces}`;
/** Words that begin at a change to upper case. */
const upper = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const lower = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const cased = (suffix: string) => `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+${suffix}|[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*${suffix}`;
const casedSymbols = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*';
const han = '[一-龥ࠀ-一가-퟿]+';
/** Letters with case, as DeepSeek LLM lists them; by number where Unicode's normal form is another character. */
const casedLetters =
  '[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ' +
  '\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⲲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ\u{10400}-\u{1044f}𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]';
// The space at the end is looked for where it begins only: from every place on, a long run of spaces would take its square in time.
const deepseekLlm = ['[\\r\\n]', `\\s?${casedLetters}+`, '\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+', '(?<!\\s)\\s+$', han, '\\p{N}+'];
const bloom = ' ?[^(\\s|.,!?…。，、।۔،)]+';
const deepseekV3 = [
  '\\p{N}{1,3}',
  '[一-龥぀-ゟ゠-ヿ]+',
  `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|${spaces}`,
];

function row(names: string, patterns: readonly string[], options: Partial<PreTokenizer> = {}): [string, PreTokenizer][] {
  const value = { ignoreMerges: false, nfc: false, addBos: false, ...options, patterns };
  return names.split(' ').map((name) => [name, value]);
}

const table: ReadonlyMap<string, PreTokenizer> = new Map([
  ...row('gpt-2 phi-2 mpt olmo jais trillion granite-docling gigachat mellum exaone4 jina-es jina-de jina-v2-es jina-v2-de a.x-4.0', [gpt2]),
  ...row('smollm starcoder refact command-r codeshell exaone minerva-7b', ['\\p{N}', gpt2]),
  ...row('llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2', [llama3], { ignoreMerges: true, addBos: true }),
  ...row('dbrx smaug-bpe glm4 chatglm-bpe', [llama3]),
  ...row('qwen2 deepseek-r1-qwen megrez', [qwen2], { nfc: true }),
  ...row('stablelm2 hunyuan grok-2', [qwen2]),
  ...row('qwen35', [qwen35]),
  ...row('tekken', [`${cased('')}|\\p{N}|${casedSymbols}|${spaces}`], { ignoreMerges: true, addBos: true }),
  ...row('gpt-4o llama4 minimax-m2', [`${cased(`${contraction}?`)}|\\p{N}{1,3}|${casedSymbols}|${spaces}`]),
  ...row('deepseek-llm', deepseekLlm),
  ...row('deepseek-coder', ['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', han, '\\p{N}']),
  ...row('deepseek-v3 hunyuan-dense', deepseekV3),
  ...row('bloom poro-chat gpt3-finnish', [bloom]),
  ...row('viking', [bloom, '\\p{N}']),
  ...row('falcon', ['[\\p{P}\\$\\+<=>\\^~\\|`]+', gpt2, '[0-9]{3}']),
  ...row('default', ['[\\p{P}\\$\\+<=>\\^~\\|]+', gpt2, '\\p{N}+', '[0-9]{3}']),
]);

/** Every name, for tests over all of them. */
export const preTokenizerNames: readonly string[] = [...table.keys()];

/** The pre-tokenizer of this name, or undefined. */
export function findPreTokenizer(name: string): PreTokenizer | undefined {
  return table.get(name);
}
