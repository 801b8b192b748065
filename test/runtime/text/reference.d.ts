/** The one class of @huggingface/tokenizers that only tests use: the whole tokenizer, as reference. */
declare module '@huggingface/tokenizers' {
  export class Tokenizer {
    constructor(tokenizer: object, config: object);
    encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly ids: number[] };
  }
}
