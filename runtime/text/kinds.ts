/** Owns the kinds of tokens, by their number in `tokenizer.ggml.token_type`. Refuses behaviour. */
export const tokenKinds = { normal: 1, unknown: 2, control: 3, user: 4, unused: 5, byte: 6 } as const;
