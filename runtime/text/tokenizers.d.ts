/**
 * Owns the types of the one class we use of @huggingface/tokenizers: the package's own types name their files
 * without extension, which does not resolve in an ES module.
 */
declare module '@huggingface/tokenizers' {
  export class SplitPreTokenizer {
    constructor(config: { readonly type: 'Split'; readonly pattern: { readonly Regex: string }; readonly behavior: 'Isolated'; readonly invert: boolean });
    /** The expression, rewritten for this language. */
    readonly pattern: RegExp;
  }
}
