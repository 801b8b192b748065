/**
 * Owns the types of the door `inward/text`. Refuses behaviour.
 */
import type { Grammar, GrammarVocabulary, TokenId } from '../types.ts';
import type { AnswerDemand } from './formats/held.ts';
import type { AnswerPart } from './formats/types.ts';
import type { ReasoningVariable } from './reasoning.ts';

/** What `openText` is given. Out of range: invalid_option. */
export interface TextOptions {
  /** Path of a GGUF file with tokenizer keys, or of a folder with tokenizer.json. */
  readonly modelPath: string;
  /** Longest time one encode may take, in ms. Default 10,000. */
  readonly deadlineMs?: number;
  /** Heap of the text process, in MiB. Default 512. */
  readonly memoryMiB?: number;
  /** Requests after which the text process is replaced, so that nothing of them stays in memory; it answers until the next one is there. Default 256. */
  readonly renewAfterRequests?: number;
  /** Time without a request after which it is replaced, if it had one, in ms. Default 60,000. */
  readonly renewIdleMs?: number;
  /** For PHI: the text process can write no file at all, the cache of compiled code included. Default false. */
  readonly keepsNothing?: boolean;
}

/** One turn of a chat, as the template of the model gets it. */
export interface ChatMessage {
  /** As a rule system, user or assistant; the template decides. */
  readonly role: string;
  readonly content: string;
  readonly name?: string;
  /** What an assistant thought before its answer; templates know it as reasoning_content. */
  readonly reasoning?: string;
  /** Calls that an assistant made. */
  readonly toolCalls?: readonly ToolCall[];
  /** Of the call that a tool's message answers. */
  readonly toolCallId?: string;
}

/** A call of a tool, as templates get it. */
export interface ToolCall {
  readonly id?: string;
  readonly type: 'function';
  /** Most templates want the arguments as an object, some as JSON text. */
  readonly function: { readonly name: string; readonly arguments: string | Readonly<Record<string, unknown>> };
}

/** What a chat may have beside its messages. */
export interface ChatOptions {
  /** JSON schemas of functions, as templates get them: {type: 'function', function: {name, description, parameters}}. */
  readonly tools?: readonly Readonly<Record<string, unknown>>[];
  /** Whether the answer is to begin (default), or the chat ends with its last message. */
  readonly addGenerationPrompt?: boolean;
  /** What else a template asks for by name: enable_thinking, reasoning_effort, documents. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** What the model file says about its text. */
export interface TextInfo {
  /** Tokens; ids are below it. */
  readonly vocabularySize: number;
  readonly bosId?: TokenId;
  /** Every token that ends a generation (end of text, end of turn). */
  readonly stopIds: readonly TokenId[];
  readonly hasChatTemplate: boolean;
  /** Of the variables by which templates are told how much to think, those that this model's templates read. */
  readonly reasoningVariables: readonly ReasoningVariable[];
  /** Their efforts go up to `max`; else `high` is the most. */
  readonly hasGreatestEffort?: true;
  /** An effort below `high` would not be taken for one. */
  readonly knowsOnlyHigh?: true;
}

/** One token as the vocabulary spells it. */
export interface Piece {
  /** Not always whole characters. Empty for an id outside the vocabulary. */
  readonly bytes: Uint8Array;
  /** False for control, unknown and unused tokens: their bytes are a name, which no decoder gives. */
  readonly isText: boolean;
}

/** Ids in, text out; holds back incomplete UTF-8. One per completion; synchronous. */
export interface StreamDecoder {
  /** Text that became complete with this token ('' while a character is incomplete). Control tokens give ''. */
  push(id: TokenId): string;
  /** What is left, incomplete bytes as U+FFFD. */
  end(): string;
}

/** What an answer's parser is told. */
export interface AnswerOptions {
  /** The ids that the answer goes on from: a template may have begun a thought. */
  readonly prompt?: Uint32Array;
  /** The tools of the chat; without any, what looks like a call is text. */
  readonly tools?: readonly Readonly<Record<string, unknown>>[];
}

/** Ids in, parts of the answer out, as soon as they are known; holds back what may become a mark. One per completion; synchronous. */
export interface AnswerDecoder {
  /** What became known with this token. */
  push(id: TokenId): AnswerPart[];
  /** What was held back. A call that was cut off stays as far as it came. */
  end(): AnswerPart[];
}

/** A value of JSON as text, and the JSON of the schema that it must keep to. */
export interface HeldValue {
  readonly schema: string;
  readonly text: string;
}

/** The text side of a model. Disposing it ends its process; what waits then fails with shutting_down. */
export interface TextModel extends AsyncDisposable {
  readonly info: TextInfo;
  /**
   * `addSpecial` (default true): BOS and EOS where the model asks for them. `parseSpecial` (default false): text that
   * spells a control token becomes that token; only for text that no user wrote.
   * Errors: invalid_request (no string, or over 16 Mi characters), text_unencodable, text_deadline, text_memory, shutting_down; file_missing,
   * model_changed and the like when a new text process is needed and cannot be had.
   */
  encode(text: string, options?: { readonly addSpecial?: boolean; readonly parseSpecial?: boolean }): Promise<Uint32Array>;
  /**
   * Renders the chat template (generation prompt added) and encodes it. Control tokens come from the template alone:
   * a message or a tool that spells one stays text. Errors: those of encode, template_missing, template_failed.
   */
  encodeChat(messages: readonly ChatMessage[], options?: ChatOptions): Promise<Uint32Array>;
  /**
   * Whether an engine can hold answers to the grammar: compiled in the text process, under its limits.
   * Errors: grammar_invalid, grammar_unenforceable, grammar_empty, grammar_too_large, text_deadline, text_memory, shutting_down.
   */
  checkGrammar(grammar: Grammar): Promise<void>;
  /**
   * Looks a second time at what an engine was held to, by the words of the schema and without the grammar: in the text process, under its limits.
   * Errors: answer_invalid, those of checkGrammar.
   */
  checkAnswer(values: readonly HeldValue[]): Promise<void>;
  /** The tokens, for an engine that holds answers to grammars. Valid as long as this object; not to be written to. */
  readonly vocabulary: GrammarVocabulary;
  /** A decoder for one completion. Needs no process: it reads a table of bytes. */
  createDecoder(): StreamDecoder;
  /** A decoder that tells thoughts, text and tool calls apart, in the format that template and vocabulary show. */
  createAnswerDecoder(options?: AnswerOptions): AnswerDecoder;
  /**
   * What an answer to a prompt must keep to so that it calls the tools that it has to, with the arguments that it may, or meets a schema, in the model's own
   * format and behind its thoughts; undefined where any answer will do. Errors: calls_unenforceable, grammar_invalid; others show when it is compiled.
   */
  createAnswerGrammar(demand: AnswerDemand & { readonly prompt: Uint32Array }): Grammar | undefined;
  /** The bytes of one token, for whoever shows tokens one by one. Valid as long as this object; not to be written to. */
  readPiece(id: TokenId): Piece;
}
