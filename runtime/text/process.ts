/**
 * The text process: builds tokenizer and template from the model file, then answers one request at a time.
 * Refuses to keep anything of a request, to fail with anything but a code of the error table, and to outlive its parent.
 */
import { hashHeader } from '../checkpoint/fingerprint.ts';
import { openCheckpoint } from '../checkpoint/index.ts';
import { InwardError, toInwardError } from '../errors.ts';
import { compileGrammar } from '../grammar/grammars.ts';
import { isAnswer } from '../grammar/judge/judge.ts';
import { Link } from '../link/link.ts';
import { lockFiles } from '../lock.ts';
import type { Grammar } from '../types.ts';
import { detectFormat } from './formats/detect.ts';
import type { AnswerFormat } from './formats/types.ts';
import { createPieces } from './pieces.ts';
import { type ProcessAnswer, type ProcessRequest, type ProcessStart, type RequestFailure, requestFailures } from './protocol.ts';
import { findReasoningVariables, knowsGreatestEffort, knowsOnlyHigh } from './reasoning.ts';
import { type ChatTemplate, createTemplate, markVariables, type TemplateVariables, writeArguments } from './template.ts';
import { createTokenizer, forgetMatches, type Tokenizer } from './tokenizer.ts';
import type { HeldValue, TextInfo } from './types.ts';
import { readVocabulary, type Vocabulary } from './vocabulary.ts';

interface Template extends ChatTemplate {
  readonly source: string;
}

interface Text {
  readonly tokenizer: Tokenizer;
  readonly standard: Template | undefined;
  /** For chats with tools, where the model has one. */
  readonly toolUse: Template | undefined;
  readonly isChatWrapped: boolean;
}

let text: Text | undefined;

const parent = Link.toParent<ProcessAnswer, ProcessStart | ProcessRequest>();
const send = (answer: ProcessAnswer): void => parent.send(answer);

function receive(message: ProcessStart | ProcessRequest): void {
  try {
    if ('modelPath' in message) start(message);
    else if (text !== undefined) sendIds(answer(text, message));
  } catch (error) {
    const { code, fields } = toInwardError(error, 'the text process');
    if (text === undefined) send({ kind: 'refused', code, fields });
    else if (!requestFailures.includes(code as RequestFailure)) send({ kind: 'failed', code: 'internal' });
    else send({ kind: 'failed', code: code as RequestFailure, ...(code.startsWith('grammar_') && { fields }) });
  } finally {
    forgetMatches();
  }
}

parent.listen({ message: receive, closed: () => process.exit(0) });
// The parent decides when to stop; a Ctrl-C in the terminal reaches both processes.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);

function sendIds(ids: Uint32Array): void {
  send({ kind: 'ids', ids });
  // The message has its own copy by now.
  ids.fill(0);
}

function start({ modelPath }: ProcessStart): void {
  // Closed before the first request: what is needed of the metadata is in the tokenizer then.
  using checkpoint = openCheckpoint(modelPath);
  const vocabulary = readVocabulary(checkpoint);
  const standard = createSourced(vocabulary.templates.standard, vocabulary);
  const ready: ProcessAnswer = {
    kind: 'ready',
    info: describe(vocabulary, standard),
    pieces: createPieces(vocabulary),
    format: findFormat(vocabulary),
    fingerprint: hashHeader(checkpoint) + vocabulary.digest,
  };
  text = {
    tokenizer: createTokenizer(vocabulary),
    standard,
    toolUse: createSourced(vocabulary.templates.toolUse, vocabulary),
    isChatWrapped: vocabulary.isChatWrapped,
  };
  // Before the first request.
  lockFiles();
  send(ready);
}

function findFormat({ added, templates }: Vocabulary): AnswerFormat {
  const names = new Set(added.map(({ content }) => content));
  return detectFormat(listSources(templates), (name) => names.has(name));
}

function listSources({ standard, toolUse }: Vocabulary['templates']): readonly string[] {
  return [standard, toolUse].filter((source) => source !== undefined);
}

function createSourced(source: string | undefined, { tokens, bosId, eosId }: Vocabulary): Template | undefined {
  return source === undefined
    ? undefined
    : { source, ...createTemplate(source, { bos_token: tokens[bosId ?? -1] ?? '', eos_token: tokens[eosId ?? -1] ?? '' }) };
}

/** The plainest chat. */
const trial: TemplateVariables = { messages: [{ role: 'user', content: 'a' }], tools: null, add_generation_prompt: true };

function describe(vocabulary: Vocabulary, standard: Template | undefined): TextInfo {
  const sources = listSources(vocabulary.templates);
  const variables = findReasoningVariables(sources);
  const render = (effort: string): string => standard?.render({ ...trial, reasoning_effort: effort }) ?? '';
  return {
    vocabularySize: vocabulary.tokens.length,
    ...(vocabulary.bosId === undefined ? {} : { bosId: vocabulary.bosId }),
    stopIds: vocabulary.stopIds,
    hasChatTemplate: vocabulary.templates.standard !== undefined,
    reasoningVariables: variables,
    ...(knowsGreatestEffort(sources) && { hasGreatestEffort: true }),
    ...(variables.includes('reasoning_effort') && knowsOnlyHigh(render) && { knowsOnlyHigh: true }),
  };
}

function answer(text: Text, request: ProcessRequest): Uint32Array<ArrayBuffer> {
  if (request.kind === 'grammar') return checkGrammar(request.grammar);
  if (request.kind === 'answer') return checkAnswer(request.values);
  return request.kind === 'text' ? text.tokenizer.encode(request.text, request) : encodeChat(text, request.variables);
}

/** Compiled here to see that it can be: this process has a deadline and a limit of memory, and serves nobody else meanwhile. */
function checkGrammar(grammar: Grammar): Uint32Array<ArrayBuffer> {
  try {
    compileGrammar(grammar);
    return new Uint32Array(0);
  } finally {
    grammar.source.fill(0);
  }
}

/** Here, because an answer and its schema may ask for as much work as any other request. */
function checkAnswer(values: readonly HeldValue[]): Uint32Array<ArrayBuffer> {
  if (!values.every(({ schema, text }) => isAnswer(JSON.parse(schema), text))) throw new InwardError('answer_invalid');
  return new Uint32Array(0);
}

function encodeChat({ tokenizer, standard, toolUse, isChatWrapped }: Text, variables: TemplateVariables): Uint32Array<ArrayBuffer> {
  const template = variables['tools'] === null ? standard : (toolUse ?? standard);
  if (template === undefined) throw new InwardError('template_missing');
  const options = { addSpecial: isChatWrapped, parseSpecial: true };
  const { controlPattern } = tokenizer;
  if (controlPattern === undefined) return tokenizer.encode(renderChat(template, variables), options);
  const marked = markVariables(variables, template.source, controlPattern);
  return tokenizer.encode(renderChat(template, marked.variables), { ...options, marker: marked.marker });
}

/** Most templates want arguments of calls as an object; those that put them together as a text fail with one. */
function renderChat(template: Template, variables: TemplateVariables): string {
  try {
    return template.render(variables);
  } catch (error) {
    const written = writeArguments(variables);
    if (written === undefined) throw error;
    return template.render(written);
  }
}
