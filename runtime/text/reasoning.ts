/**
 * Owns the variables by which chat templates are told how much to think, and which of them a template reads. Refuses to guess by a model's name.
 */
export const reasoningVariables = ['reasoning_effort', 'enable_thinking', 'thinking'] as const;

/** `reasoning_effort` is a word (low, medium, high), the others are on or off. */
export type ReasoningVariable = (typeof reasoningVariables)[number];

/** Code of a template only: its texts may have these words too. */
export function findReasoningVariables(templates: readonly string[]): readonly ReasoningVariable[] {
  const code = templates.flatMap((template) => template.match(/\{%[\s\S]*?%\}|\{\{[\s\S]*?\}\}/g) ?? []).map((piece) => piece.replace(/'[^']*'|"[^"]*"/g, ''));
  return reasoningVariables.filter((name) => code.some((piece) => new RegExp(`(?<![\\w.])${name}(?![\\w(])`).test(piece)));
}
