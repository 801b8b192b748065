/**
 * Owns the variables by which chat templates are told how much to think, and which of them a template reads. Refuses to guess by a model's name.
 */
export const reasoningVariables = ['reasoning_effort', 'enable_thinking', 'thinking'] as const;

/** `reasoning_effort` is a word (low, medium, high), the others are on or off. */
export type ReasoningVariable = (typeof reasoningVariables)[number];

/** Code of a template only: its texts may have these words too. */
const codeOf = (templates: readonly string[]): string[] => templates.flatMap((template) => template.match(/\{%[\s\S]*?%\}|\{\{[\s\S]*?\}\}/g) ?? []);

/** Whether a template compares its effort with `max`, which is more than `high`: DeepSeek-V4. */
export function knowsGreatestEffort(templates: readonly string[]): boolean {
  return codeOf(templates).some((piece) => /(?<![\w.])reasoning_effort(?![\w(])/.test(piece) && /'max'|"max"/.test(piece));
}

export function findReasoningVariables(templates: readonly string[]): readonly ReasoningVariable[] {
  const code = codeOf(templates).map((piece) => piece.replace(/'[^']*'|"[^"]*"/g, ''));
  return reasoningVariables.filter((name) => code.some((piece) => new RegExp(`(?<![\\w.])${name}(?![\\w(])`).test(piece)));
}
