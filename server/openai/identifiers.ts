/**
 * Owns what happens to identifiers in a request, by the mode of its key and purpose: counted, refused, or replaced by tags before any
 * template sees them, and put back into the answer. Refuses prompts of token ids where identifiers must not pass: nobody can find them there.
 * Finding runs in this process: the texts are strings here anyway, and every other place would be one more that holds them.
 */
import type { ChatMessage, ToolCall } from '../../runtime/text/index.ts';
import { type Counts, formatCounts } from '../privacy/deid/categories.ts';
import { deidentify } from '../privacy/deid/deidentify.ts';
import { Mapping } from '../privacy/deid/mapping/mapping.ts';
import { createRestorer, type Restorer } from '../privacy/deid/restore/restorer.ts';
import type { DeidMode } from '../privacy/words.ts';
import type { Part } from './choice.ts';
import { ApiError } from './errors.ts';
import type { AnswerRequest, ChatPrompt, Prompt } from './fields.ts';
import { type ContentPart, continues } from './parts.ts';
import { ProseGate } from './prose-gate.ts';

/** Characters of all texts of a request, so that finding holds up nobody else for long: some tenths of a second. */
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

/** Throws ApiError for what cannot be searched. */
export function guardIdentifiers(asked: AnswerRequest, mode: DeidMode): Guarded {
  if (mode === 'off') return { asked, found: undefined, refusal: undefined, answer: (parts) => parts, [Symbol.dispose]: () => undefined };
  const mapping = new Mapping();
  try {
    const { prompts, found } = replacePrompts(asked.prompts, mode, mapping);
    const open = (isJson: boolean): Restorer =>
      mode === 'deidentify+restore' ? createRestorer(mapping, { format: isJson ? 'json' : 'text' }) : new ProseGate(mapping, isJson);
    const isBlocked = mode === 'block' && Object.keys(found).length > 0;
    return {
      asked: mode === 'report' ? asked : { ...checkAnswer(asked, mode), prompts },
      found,
      refusal: isBlocked ? new ApiError('identifiers_found', { known: formatCounts(found) }) : undefined,
      answer: (parts) => (mode === 'report' ? parts : passParts(parts, open, asked.grammar?.kind === 'schema')),
      [Symbol.dispose]: () => mapping[Symbol.dispose](),
    };
  } catch (error) {
    mapping[Symbol.dispose]();
    throw error;
  }
}

/** Log-probabilities show tokens, which are not those of the text that the client gets. */
function checkAnswer(asked: AnswerRequest, mode: DeidMode): AnswerRequest {
  if (asked.logprobs === undefined) return asked;
  throw new ApiError('invalid_value', { path: 'logprobs', rule: `is not given with a key whose mode for identifiers is ${mode}` });
}

/** All texts as one, so that a name that is certain in one is found in the others. */
function replacePrompts(prompts: readonly Prompt[], mode: DeidMode, mapping: Mapping): { readonly prompts: readonly Prompt[]; readonly found: Counts } {
  const texts = prompts.flatMap((prompt) => textsOf(prompt, mode));
  const length = texts.reduce((sum, text) => sum + text.length, 0);
  const refuse = (rule: string): never => {
    throw new ApiError('invalid_value', { path: 'The prompt', rule });
  };
  if (length > mostLength) refuse(`must have at most ${mostLength} characters with a key whose mode for identifiers is ${mode}`);
  if (texts.some((text) => text.includes(border))) refuse('must not have two record separators (U+001E) on a line of their own');
  const { text, counts } = deidentify(texts.join(border), { mapping });
  const clean = text.split(border);
  // A span that took a border with it would shift all behind it.
  if (clean.length !== Math.max(1, texts.length)) refuse('has an identifier across messages; put it into one');
  let next = 0;
  const take = (): string => clean[next++] ?? '';
  return { prompts: prompts.map((prompt) => writeTexts(prompt, take)), found: counts };
}

/** `report` changes nothing, so that it lets token ids pass. */
function textsOf(prompt: Prompt, mode: DeidMode): string[] {
  const texts: string[] = [];
  const note = (text: string): string => {
    texts.push(text);
    return text;
  };
  if (prompt instanceof Uint32Array && mode !== 'report')
    throw new ApiError('invalid_value', { path: 'prompt', rule: `must be text with a key whose mode for identifiers is ${mode}` });
  writeTexts(prompt, note);
  return texts;
}

/** The prompt with each of its texts replaced, always in the same order. */
function writeTexts(prompt: Prompt, write: (text: string) => string): Prompt {
  if (typeof prompt === 'string') return write(prompt);
  return prompt instanceof Uint32Array ? prompt : writeChat(prompt, write);
}

function writeChat({ messages, options }: ChatPrompt, write: (text: string) => string): ChatPrompt {
  const writeJson = <T>(value: T): T => JSON.parse(write(JSON.stringify(value)));
  const writeCall = ({ function: { name, arguments: given }, ...call }: ToolCall): ToolCall => ({
    ...call,
    function: { name, arguments: typeof given === 'string' ? write(given) : writeJson(given) },
  });
  const writeMessage = ({ content, name, reasoning, toolCalls, ...message }: ChatMessage): ChatMessage => ({
    ...message,
    content: write(content),
    ...(name === undefined ? {} : { name: write(name) }),
    ...(reasoning === undefined ? {} : { reasoning: write(reasoning) }),
    ...(toolCalls === undefined ? {} : { toolCalls: toolCalls.map(writeCall) }),
  });
  return { messages: messages.map(writeMessage), options: { ...options, ...(options.variables && { variables: writeJson(options.variables) }) } };
}

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
