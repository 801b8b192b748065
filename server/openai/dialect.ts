/**
 * Owns the type of what differs between the routes that answer: how a body is read, and the shapes of an answer. A new one is a file of
 * schemas and shapes; planning, making, streaming and counting are shared (answers.ts).
 */
import type { z } from 'zod';
import type { TextModel } from '../../runtime/text/index.ts';
import type { RoutePattern } from '../privacy/words.ts';
import type { ChoiceEnd } from './choice.ts';
import type { ApiError, PromptField } from './errors.ts';
import type { AnswerRequest } from './fields.ts';
import type { Usage } from './frames.ts';
import type { ContentPart } from './parts.ts';
import type { Events } from './sse.ts';

export interface Dialect {
  readonly url: RoutePattern;
  /** The field that errors about a prompt name. */
  readonly promptField: PromptField;
  /** Events of a stream have a name, which is the `type` of their data. */
  readonly hasEventNames: boolean;
  /** What `read` checks a body by, for the document of the API. */
  readonly body: z.ZodType;
  /** Checks a body; throws ApiError with the path and the rule that it breaks. */
  read(body: unknown, text: TextModel): Question;
}

export interface Question {
  readonly asked: AnswerRequest;
  /** The shapes of its answer, whole or as a stream. Called once. */
  present(facts: AnswerFacts): Presentation;
}

export interface AnswerFacts {
  /** The model's own name. */
  readonly model: string;
  readonly promptTokens: number;
  /** Choices of all prompts. */
  readonly choiceCount: number;
}

/** All of one choice, in runs. */
export interface WholeChoice {
  readonly parts: readonly ContentPart[];
  readonly end: ChoiceEnd;
}

export interface Presentation {
  whole(choices: readonly WholeChoice[], usage: Usage): object;
  /** Events before the first part, with one, after the last of a choice, and after all. Asked for in the order in which they leave. */
  opening(): Events;
  part(choice: number, part: ContentPart): Events;
  closing(choice: number, end: ChoiceEnd): Events;
  ending(usage: Usage): Events;
  /** The last events of a stream that failed. */
  failure(error: ApiError): Events;
}
