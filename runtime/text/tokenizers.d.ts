/**
 * Owns the types of the three classes we use of @huggingface/tokenizers: the package's own types name their files
 * without extension, which does not resolve in an ES module.
 */
declare module '@huggingface/tokenizers' {
  export class BPE {
    constructor(config: { readonly type: 'BPE'; readonly vocab: Record<string, number>; readonly merges: string[]; readonly ignore_merges: boolean });
    /** Token -> id. */
    tokens_to_ids: Map<string, number>;
    /** JSON of [left, right] -> rank of the merge. */
    bpe_ranks: Map<string, number>;
    encode(words: string[]): string[];
    clear_cache(): void;
  }

  export class SplitPreTokenizer {
    constructor(config: { readonly type: 'Split'; readonly pattern: { readonly Regex: string }; readonly behavior: 'Isolated'; readonly invert: boolean });
    pre_tokenize(words: string[]): string[];
  }

  export class ByteLevelPreTokenizer {
    constructor(config: { readonly type: 'ByteLevel'; readonly add_prefix_space: boolean; readonly use_regex: boolean });
    pre_tokenize(words: string[]): string[];
  }
}
