/**
 * Owns what a request asks of the engine: prompts encoded, limits of the loaded model checked, one engine request for
 * each choice. Refuses before anything runs.
 */
import { type Engine, type GenerateRequest, type Grammar, InwardError, type Layer, type Priority, type Sampling } from '../../runtime/index.ts';
import type { TextModel } from '../../runtime/text/index.ts';
import type { Refusal } from '../privacy/errors.ts';
import { ApiError } from './errors.ts';
import type { AnswerRequest, Parsing, Prompt } from './fields.ts';
import type { HeaderTerms } from './headers.ts';

export interface Models {
  readonly engine: Engine;
  readonly text: TextModel;
  /** What the kernel holds around the processes, as it was found when they were started. */
  readonly layers?: readonly Layer[];
}

/** What is loaded now; nothing while no agreement is in force, or while it is being loaded. */
export interface ModelSource {
  readonly current: Models | undefined;
  /** Why nothing is loaded, where that will not pass by itself. */
  readonly refusal?: Refusal | undefined;
}

/** Throws ApiError or Refusal while nothing is loaded. */
export function demandModels({ current, refusal }: ModelSource): Models {
  if (current === undefined) throw refusal ?? new ApiError('model_loading');
  return current;
}

export interface PlanContext extends Models {
  /** Numbers of prompts with several choices: no two of an engine have the same. */
  readonly nextGroup: () => number;
}

export interface ChoicePlan {
  readonly generate: GenerateRequest;
  readonly stops: readonly string[];
  /** Position of the first token of the prompt that comes before the answer; undefined: none does. */
  readonly echoFrom: number | undefined;
  readonly reportsEnd: boolean;
  /** How parts of the answer are told apart; undefined: it is text. */
  readonly parsing: Parsing | undefined;
  /** The schema that the answer is held to where it calls no tool. */
  readonly format: Grammar | undefined;
  /** Log-probabilities are part of the answer; `generate` asks for them also where they only decide which choices are. */
  readonly reportsLogprobs: boolean;
}

/** What does not stand in the body. */
export interface Terms extends HeaderTerms {
  readonly tenant: number;
  /** The most urgent class that the request may have. */
  readonly priority: Priority;
}

export interface Plan {
  /** Choice i of prompt p is at p * candidateCount + i. */
  readonly choices: readonly ChoicePlan[];
  /** Each prompt once, however many choices it has; theirs to zero who are done with the answer. */
  readonly prompts: readonly Uint32Array[];
  /** Of all prompts. */
  readonly promptTokens: number;
  /** Tokens that the answer may cost at most: each prompt once, each choice to its limit. */
  readonly tokenLimit: number;
  /** What the answer is held to; theirs to wipe like the prompts. */
  readonly grammar: Grammar | undefined;
}

/** Log-probabilities of prompts in one answer: keeps its making short and its JSON below some 50 MB. */
const echoedLogprobsLimit = 1_000_000;

/** Throws ApiError and InwardError. */
export async function planChoices(models: PlanContext, request: AnswerRequest, terms: Terms, signal: AbortSignal): Promise<Plan> {
  const { encoder, family } = models.engine.info;
  if (encoder !== undefined) throw new InwardError('generation_unsupported', { family });
  const prompts: Uint32Array[] = [];
  let grammar: Grammar | undefined;
  try {
    // One after the other, so that other requests get their turn in the text process.
    for (const prompt of request.prompts) {
      prompts.push(await inTime(encodePrompt(models.text, prompt), terms.deadline));
      signal.throwIfAborted();
    }
    grammar = writeGrammar(models.text, request, prompts);
    if (grammar !== undefined) await models.text.checkGrammar(grammar);
    return plan(prompts, models, request, terms, grammar);
  } catch (error) {
    zero(prompts);
    grammar?.source.fill(0);
    throw error;
  }
}

/** What is wrong with a grammar, before an answer or in the middle of one, is the fault of the field that it comes from. */
export function blameGrammar(error: unknown, { chat, grammar }: AnswerRequest): unknown {
  const path = chat !== undefined && (chat.choice !== 'auto' || chat.strict.length > 0) ? 'tools' : grammar?.field;
  const isGrammar = error instanceof InwardError && /^(grammar|calls)_/.test(error.code);
  return isGrammar && path !== undefined ? new ApiError('rejected', { path, sentence: error.message }) : error;
}

/** A chat may think before its answer, and call tools instead of it; it has one prompt. */
function writeGrammar(text: TextModel, { chat, grammar }: AnswerRequest, [prompt]: readonly Uint32Array[]): Grammar | undefined {
  if (chat === undefined || prompt === undefined) return grammar;
  const schema = grammar && new TextDecoder().decode(grammar.source);
  return text.createAnswerGrammar({ ...chat, prompt, schema });
}

/** What of a request is bytes, prompts of ids and the text of a grammar: overwritten when the request is over, however it ends. */
export function wipeAfter({ prompts, grammar }: { readonly prompts: readonly Prompt[]; readonly grammar?: Grammar | undefined }): Disposable {
  return {
    [Symbol.dispose]: () => {
      zero(prompts.filter((prompt) => prompt instanceof Uint32Array));
      grammar?.source.fill(0);
    },
  };
}

/** Overwrites token ids. */
export function zero(prompts: readonly Uint32Array[]): void {
  for (const ids of prompts) ids.fill(0);
}

function plan(prompts: readonly Uint32Array[], models: PlanContext, request: AnswerRequest, terms: Terms, grammar: Grammar | undefined): Plan {
  const { engine, text } = models;
  const promptTokens = prompts.reduce((sum, ids) => sum + ids.length, 0);
  checkIds(prompts, request.sampling, engine.info.vocabularySize);
  checkEcho(request, promptTokens);
  const shared = { ...readCommon(models, request, terms), ...(grammar && { grammar }) };
  const choices = prompts.flatMap((promptIds, index) => {
    const echoFrom = request.isEchoed ? countAddedStarts(text, request.prompts[index], promptIds) : undefined;
    const maxTokens = limitTokens(request, promptIds.length, engine.info.contextLength);
    const group = request.candidateCount > 1 ? { group: models.nextGroup() } : {};
    return Array.from({ length: request.candidateCount }, (_, order): ChoicePlan => {
      const generate = { ...shared, ...group, promptIds, maxTokens, sampling: seedChoice(request.sampling, order) };
      const { stops, reportsEnd, chat: parsing, grammar: format } = request;
      return { generate, stops, echoFrom, reportsEnd, parsing, format, reportsLogprobs: request.logprobs !== undefined };
    });
  });
  const tokenLimit = choices.reduce((sum, { generate }) => sum + generate.maxTokens, promptTokens);
  return { choices, prompts, promptTokens, tokenLimit, grammar };
}

/** What all choices of a request have in common. */
function readCommon(
  { text }: Models,
  request: AnswerRequest,
  { tenant, keepsPrefix, deadline, priority: most }: Terms,
): Omit<GenerateRequest, 'promptIds' | 'maxTokens'> {
  const { cacheSalt, isEchoed, candidateCount, choiceCount } = request;
  const priority = most === 'batch' ? 'batch' : request.priority;
  const logprobs = request.logprobs ?? (candidateCount > choiceCount ? 0 : undefined);
  return {
    ...{ tenant, priority, keepsPrefix },
    stopIds: request.ignoresEnd ? [] : text.info.stopIds,
    ...(logprobs === undefined ? {} : { logprobs }),
    ...(isEchoed && request.logprobs !== undefined ? { promptLogprobs: request.logprobs } : {}),
    ...(cacheSalt === undefined ? {} : { cacheSalt }),
    ...(deadline === undefined ? {} : { deadlineMs: measureRest(deadline) }),
  };
}

export async function encodePrompt(text: TextModel, prompt: Prompt): Promise<Uint32Array> {
  if (prompt instanceof Uint32Array) return prompt;
  return typeof prompt === 'string' ? text.encode(prompt) : text.encodeChat(prompt.messages, prompt.options);
}

/** Template and tokenizer have a deadline of their own, which may be longer than what the client gave. */
async function inTime(work: Promise<Uint32Array>, deadline: number | undefined): Promise<Uint32Array> {
  if (deadline === undefined) return work;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new ApiError('deadline_exceeded'));
    // What comes later is nobody's.
    work.then((ids) => ids.fill(0)).catch(() => undefined);
  }, deadline - performance.now());
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function checkIds(prompts: readonly Uint32Array[], { logitBias = [] }: Sampling, vocabularySize: number): void {
  const refuse = (path: string): never => {
    throw new ApiError('invalid_value', { path, rule: `must name token ids below ${vocabularySize}` });
  };
  if (prompts.some((ids) => ids.some((id) => id >= vocabularySize))) refuse('prompt');
  if (logitBias.some(({ id }) => id >= vocabularySize)) refuse('logit_bias');
}

function checkEcho({ isEchoed, logprobs, candidateCount }: AnswerRequest, promptTokens: number): void {
  if (!isEchoed || logprobs === undefined || promptTokens * candidateCount * (logprobs + 1) <= echoedLogprobsLimit) return;
  const rule = `would give more than ${echoedLogprobsLimit} numbers with that echo; send fewer prompts at once, or ask for fewer alternatives`;
  throw new ApiError('invalid_value', { path: 'logprobs', rule });
}

/** Milliseconds that are left; throws ApiError where there are none. */
export function measureRest(deadline: number): number {
  const rest = deadline - performance.now();
  if (rest <= 0) throw new ApiError('deadline_exceeded');
  return rest;
}

/** Text that spells the beginning-of-text token does not become it: where it stands first, the tokenizer added it, and it is not shown. */
function countAddedStarts(text: TextModel, prompt: Prompt | undefined, ids: Uint32Array): 0 | 1 {
  const { bosId } = text.info;
  return typeof prompt === 'string' && bosId !== undefined && ids[0] === bosId && !text.readPiece(bosId).isText ? 1 : 0;
}

/** A limit beyond the context is not an error: the answer then ends with `length` where the context ends. */
function limitTokens({ maxTokens }: AnswerRequest, promptLength: number, contextLength: number): number {
  const room = contextLength - promptLength;
  if (room < (maxTokens === 0 ? 0 : 1)) throw new InwardError('prompt_too_long', { found: promptLength, limit: contextLength });
  return Math.min(maxTokens ?? room, room);
}

/** Choices of one prompt differ, and are the same whatever other prompts come with it. */
function seedChoice(sampling: Sampling, order: number): Sampling {
  return sampling.seed === undefined ? sampling : { ...sampling, seed: (sampling.seed + order) % 2 ** 32 };
}
