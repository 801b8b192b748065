/**
 * Owns what happens to identifiers in a request, by the mode of its key and purpose: counted, refused, or replaced by tags or surrogates before any
 * template sees them, and put back into the answer. Refuses prompts of token ids where identifiers must not pass: nobody can find them there.
 */
import type { ChatMessage, ToolCall } from '../../runtime/text/index.ts';
import { type Counts, formatCounts } from '../privacy/deid/categories.ts';
import { deidentify, replaceFound } from '../privacy/deid/deidentify.ts';
import { Mapping } from '../privacy/deid/mapping/mapping.ts';
import { createRestorer, type Restorer } from '../privacy/deid/restore/restorer.ts';
import { ShiftedDates } from '../privacy/deid/restore/shifted.ts';
import type { DeidMode } from '../privacy/words.ts';
import type { Searcher } from '../search/searcher.ts';
import type { Part } from './choice.ts';
import { ApiError } from './errors.ts';
import type { AnswerRequest, ChatPrompt, Format, Prompt } from './fields.ts';
import { type ContentPart, continues } from './parts.ts';
import { ProseGate } from './prose-gate.ts';

/** Characters of all texts of a request, so that searching it holds up the next one for some tenths of a second at most. */
export const mostLength: number = 2 ** 19;
/** Between texts that are read as one. No text of a request may have it. */
const border = '\n\u001e\u001e\n';

/** A request as the model gets it. */
export interface Guarded extends Disposable {
  readonly asked: AnswerRequest;
  /** What was found in it; undefined where nothing was looked for. */
  readonly found: Counts | undefined;
  /** Why it gets no answer. */
  readonly refusal: ApiError | undefined;
  /** Parts of a choice as the client gets them. */
  answer(parts: AsyncGenerator<Part, void, undefined>): AsyncGenerator<Part, void, undefined>;
}

/** Throws ApiError for what cannot be searched, and what a searcher throws. */
export async function guardIdentifiers(asked: AnswerRequest, mode: DeidMode, searcher: Searcher, signal: AbortSignal): Promise<Guarded> {
  if (mode === 'off') return { asked, found: undefined, refusal: undefined, answer: (parts) => parts, [Symbol.dispose]: () => undefined };
  const mapping = new Mapping();
  try {
    const { clean, found } = await replaceTexts(asked, mode, { mapping, searcher, signal });
    const open = (isJson: boolean): Restorer => openWay(mode, mapping, isJson);
    const isBlocked = mode === 'block' && Object.keys(found).length > 0;
    return {
      asked: mode === 'report' ? asked : checkAnswer(clean, mode),
      found,
      refusal: isBlocked ? new ApiError('identifiers_found', { known: formatCounts(found) }) : undefined,
      answer: (parts) => (mode === 'report' ? parts : passParts(parts, open, asked.grammar?.kind === 'schema')),
      [Symbol.dispose]() {
        mapping[Symbol.dispose]();
        clean.grammar?.source.fill(0);
      },
    };
  } catch (error) {
    mapping[Symbol.dispose]();
    throw error;
  }
}

/** From the model's text to the client's. */
function openWay(mode: DeidMode, mapping: Mapping, isJson: boolean): Restorer {
  if (mode !== 'deidentify+restore' && mode !== 'surrogate+restore') return new ProseGate((text) => deidentify(text, { mapping }).text, isJson);
  const back = createRestorer(mapping, { format: isJson ? 'json' : 'text' });
  if (mode === 'deidentify+restore') return back;
  const dates = new ShiftedDates(mapping, { isDayFirst: false, year: new Date().getUTCFullYear() });
  const gate = new ProseGate((text) => dates.settle(text), isJson);
  return { push: (part) => back.push(gate.push(part)), end: () => back.push(gate.end()) + back.end() };
}

/** Log-probabilities show tokens, which are not those of the text that the client gets. */
function checkAnswer(asked: AnswerRequest, mode: DeidMode): AnswerRequest {
  if (asked.logprobs === undefined) return asked;
  throw new ApiError('invalid_value', { path: 'logprobs', rule: `is not given with a key whose mode for identifiers is ${mode}` });
}

interface Search {
  readonly mapping: Mapping;
  readonly searcher: Searcher;
  readonly signal: AbortSignal;
}

/** All texts as one, so that a name that is certain in one is found in the others. */
async function replaceTexts(
  asked: AnswerRequest,
  mode: DeidMode,
  { mapping, searcher, signal }: Search,
): Promise<{ readonly clean: AnswerRequest; readonly found: Counts }> {
  const texts = textsOf(asked, mode);
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  const refuse = (rule: string): never => {
    throw new ApiError('invalid_value', { path: 'The prompt', rule });
  };
  if (length > mostLength) refuse(`must have at most ${mostLength} characters with a key whose mode for identifiers is ${mode}`);
  if (texts.some((text) => text.includes(border))) refuse('must not have two record separators (U+001E) on a line of their own');
  const whole = texts.join(border);
  const spans = await searcher.find(whole, signal);
  const { text, counts } = replaceFound(whole, spans, { mapping, actions: mode === 'surrogate+restore' ? 'surrogate' : 'tag' });
  const parts = text.split(border);
  // A span that took a border with it would shift all behind it.
  if (parts.length !== Math.max(1, texts.length)) refuse('has an identifier across messages; put it into one');
  let next = 0;
  const take = (): string => parts[next++] ?? '';
  return { clean: writeTexts(asked, take), found: counts };
}

/** `report` changes nothing, so that it lets token ids pass. */
function textsOf(asked: AnswerRequest, mode: DeidMode): string[] {
  const texts: string[] = [];
  const note = (text: string): string => {
    texts.push(text);
    return text;
  };
  if (mode !== 'report' && asked.prompts.some((prompt) => prompt instanceof Uint32Array))
    throw new ApiError('invalid_value', { path: 'prompt', rule: `must be text with a key whose mode for identifiers is ${mode}` });
  writeTexts(asked, note);
  return texts;
}

type Write = (text: string) => string;

/** The request with each of its texts replaced, always in the same order. What the model is shown of the tools is also what its calls are held to. */
function writeTexts(asked: AnswerRequest, write: Write): AnswerRequest {
  const prompts = asked.prompts.map((prompt) => writePrompt(prompt, write));
  const { chat, grammar } = asked;
  const shown = prompts.map((prompt) => (isChat(prompt) ? prompt.options.tools : undefined))[0];
  return { ...asked, prompts, chat: chat && { ...chat, tools: shown ?? chat.tools }, grammar: grammar && writeFormat(grammar, write) };
}

const isChat = (prompt: Prompt): prompt is ChatPrompt => typeof prompt === 'object' && !(prompt instanceof Uint32Array);

/** The form of the answer; the same bytes where nothing is replaced. */
function writeFormat(format: Format, write: Write): Format {
  const source = new TextDecoder().decode(format.source);
  const schema = JSON.parse(source);
  const clean = JSON.stringify(writeSchema(schema, write));
  return clean === JSON.stringify(schema) ? format : { ...format, source: new TextEncoder().encode(clean) };
}

function writePrompt(prompt: Prompt, write: Write): Prompt {
  if (typeof prompt === 'string') return write(prompt);
  return prompt instanceof Uint32Array ? prompt : writeChat(prompt, write);
}

function writeJson<T>(value: T, write: Write): T {
  return JSON.parse(write(JSON.stringify(value)));
}

function writeChat({ messages, options }: ChatPrompt, write: Write): ChatPrompt {
  const writeCall = ({ function: { name, arguments: given }, ...call }: ToolCall): ToolCall => ({
    ...call,
    function: { name, arguments: typeof given === 'string' ? write(given) : writeJson(given, write) },
  });
  const writeMessage = ({ content, name, reasoning, toolCalls, ...message }: ChatMessage): ChatMessage => ({
    ...message,
    content: write(content),
    ...(name === undefined ? {} : { name: write(name) }),
    ...(reasoning === undefined ? {} : { reasoning: write(reasoning) }),
    ...(toolCalls === undefined ? {} : { toolCalls: toolCalls.map(writeCall) }),
  });
  const { tools, variables } = options;
  const others = { ...(tools && { tools: tools.map((tool) => writeSchema(tool, write)) }), ...(variables && { variables: writeJson(variables, write) }) };
  return { messages: messages.map(writeMessage), options: { ...options, ...others } };
}

/**
 * Of a tool's definition or an answer's schema what is written for a reader, and the values that it names. Values to choose from are the same tags or
 * surrogates there as in the messages, so that the model can still choose, and come back with its answer. All else are words that answers are made of: names,
 * types, patterns.
 */
function writeSchema<T>(value: T, write: Write, areNames = false): T {
  if (Array.isArray(value)) return value.map((item) => writeSchema(item, write)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => {
    if (areNames) return [key, writeSchema(item, write)];
    if (typeof item === 'string' && proseKeys.test(key)) return [key, write(item)];
    return [key, valueKeys.test(key) ? writeJson(item, write) : writeSchema(item, write, nameKeys.test(key))];
  });
  return Object.fromEntries(entries) as T;
}

/** Keywords of JSON schema whose value is prose, a value that a call could have, or an object whose keys are names that somebody chose. */
const proseKeys = /^(?:description|title|\$comment)$/;
const valueKeys = /^(?:default|examples?|enum|const)$/;
const nameKeys = /^(?:properties|patternProperties|dependentSchemas|\$defs|definitions)$/;

/** One way for each run of parts: what a run holds back leaves before the next one begins. */
async function* passParts(
  parts: AsyncGenerator<Part, void, undefined>,
  open: (isJson: boolean) => Restorer,
  isJson: boolean,
): AsyncGenerator<Part, void, undefined> {
  let last: ContentPart | undefined;
  let way: Restorer | undefined;
  for await (const part of parts) {
    if (last !== undefined && way !== undefined && (part.type === 'end' || !continues(last, part))) {
      yield* showRest(last, way.end());
      way = undefined;
    }
    if (part.type === 'end') {
      yield part;
      continue;
    }
    way ??= open(isJson || part.type === 'call' || part.type === 'arguments');
    const text = way.push(part.text);
    // A call begins with its name, also where nothing of its arguments is certain yet.
    if (text !== '' || part.type === 'call') yield { ...part, text, tokens: undefined };
    last = part;
  }
}

function* showRest(last: ContentPart, text: string): Generator<Part> {
  if (text === '') return;
  if (last.type === 'call' || last.type === 'arguments') yield { type: 'arguments', call: last.call, text, tokens: undefined };
  else yield { type: last.type, text, tokens: undefined };
}
