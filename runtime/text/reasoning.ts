/**
 * Owns the variables by which chat templates are told how much to think, and which of them a template reads. Refuses to guess by a model's name.
 */
export const reasoningVariables = ['reasoning_effort', 'enable_thinking', 'thinking'] as const;

/** `reasoning_effort` is a word (low, medium, high), the others are on or off. */
export type ReasoningVariable = (typeof reasoningVariables)[number];

/** Code of a template only: its texts may have these words too. */
const codeOf = (templates: readonly string[]): string[] => templates.flatMap((template) => template.match(/\{%[\s\S]*?%\}|\{\{[\s\S]*?\}\}/g) ?? []);

/** Whether a template compares its effort with `max`, or writes `Max`, which is more than `high`: DeepSeek-V4, GLM-5.2. */
export function knowsGreatestEffort(templates: readonly string[]): boolean {
  return codeOf(templates).some((piece) => /(?<![\w.])reasoning_effort(?![\w(])/.test(piece) && /'max'|"max"/i.test(piece));
}

/**
 * Whether a template knows the word `high` and does something else at every other one: GLM-5.2, which then thinks the most. By trial, because templates
 * compare in many ways. `render`: of a chat with that effort.
 */
export function knowsOnlyHigh(render: (effort: string) => string): boolean {
  try {
    const [low, high, unknown] = ['low', 'high', 'another'].map(render);
    return low === unknown && low !== high;
  } catch {
    return false;
  }
}

export function findReasoningVariables(templates: readonly string[]): readonly ReasoningVariable[] {
  const code = codeOf(templates).map((piece) => piece.replace(/'[^']*'|"[^"]*"/g, ''));
  return reasoningVariables.filter((name) => code.some((piece) => new RegExp(`(?<![\\w.])${name}(?![\\w(])`).test(piece)));
}
