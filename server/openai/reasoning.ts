/**
 * Owns how much a model is asked to think, as the variables that its template reads. Refuses an effort that the template knows nothing of: a setting
 * that silently does nothing would be a wrong answer.
 */
import { z } from 'zod';
import type { ReasoningVariable, TextInfo } from '../../runtime/text/index.ts';
import { ApiError } from './errors.ts';

/** OpenAI's words. */
const efforts = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'] as const;
type Effort = (typeof efforts)[number];
export const reasoningEffort: z.ZodType<Effort | null | undefined> = z.enum(efforts).nullish();

/** Below `high`, and not off. */
const lesser: readonly Effort[] = ['minimal', 'low', 'medium'];

/** What templates with words have; most have no more. */
const templateWords: Partial<Record<Effort, string>> = { minimal: 'low', xhigh: 'high' };

/** The switches of vLLM's clients. */
export interface TemplateSwitches {
  readonly enable_thinking?: boolean | null | undefined;
  readonly thinking?: boolean | null | undefined;
}
export const templateSwitches: z.ZodType<TemplateSwitches | null | undefined> = z
  .strictObject({ enable_thinking: z.boolean().nullish(), thinking: z.boolean().nullish() })
  .nullish();

export type TemplateVariables = Readonly<Partial<Record<ReasoningVariable, string | boolean>>>;

/** `path` is named by errors. Throws ApiError. */
export function readEffort(effort: Effort | null | undefined, info: TextInfo, path: string): TemplateVariables {
  if (effort == null) return {};
  const { reasoningVariables: known, hasGreatestEffort } = info;
  if (known.length === 0 && effort !== 'none')
    throw new ApiError('unsupported_parameter', { path, remedy: 'leave it out: the chat template of this model knows no such setting' });
  if (info.knowsOnlyHigh && lesser.includes(effort))
    throw new ApiError('unsupported_parameter', {
      path,
      remedy: 'use none, high or xhigh: the chat template of this model takes every other word for something else',
    });
  const word = effort === 'xhigh' && hasGreatestEffort ? 'max' : (templateWords[effort] ?? effort);
  return Object.fromEntries(known.map((name) => [name, name === 'reasoning_effort' ? word : effort !== 'none']));
}

/** Throws ApiError. */
export function readSwitches(given: TemplateSwitches | null | undefined, { reasoningVariables: known }: TextInfo, path: string): TemplateVariables {
  const set = Object.entries(given ?? {}).filter((entry): entry is ['enable_thinking' | 'thinking', boolean] => entry[1] != null);
  for (const [name] of set) {
    if (!known.includes(name))
      throw new ApiError('unsupported_parameter', { path: `${path}.${name}`, remedy: 'leave it out: the chat template of this model does not read it' });
  }
  return Object.fromEntries(set);
}
