/**
 * Owns the types of answers in parts: what a model thought, what it says, and which tools it calls. Refuses behaviour.
 */

/** A part of an answer, as soon as it is known. Joined parts of a kind are the whole. */
export type AnswerPart =
  | { readonly kind: 'reasoning' | 'content'; readonly text: string }
  /** A call begins; the next arguments are its own. `index` counts calls from 0. */
  | { readonly kind: 'call'; readonly index: number; readonly name: string; readonly id?: string }
  /** A piece of the JSON text of a call's arguments; all together they are one object. */
  | { readonly kind: 'arguments'; readonly index: number; readonly text: string };

/** How a model writes tool calls; named after what marks them. */
export type CallFormat =
  | 'none'
  /** <tool_call>{"name": ..., "arguments": {...}}</tool_call>: Qwen, Hermes, SmolLM3 */
  | 'json-tags'
  /** <tool_call><function=name><parameter=key>value</parameter></function></tool_call>: Qwen3-Coder, Qwen3.5 */
  | 'parameter-tags'
  /** <tool_call>name<arg_key>key</arg_key><arg_value>value</arg_value></tool_call>: GLM */
  | 'argument-tags'
  /** An answer that is {"name": ..., "parameters": {...}}, or begins with <|python_tag|>: Llama 3 */
  | 'bare-json'
  /** [TOOL_CALLS][{...}], or [TOOL_CALLS]name[ARGS]{...}: Mistral */
  | 'bracket-tags'
  /** <|tool_call|>[{...}]<|/tool_call|>: Phi-4 */
  | 'json-list'
  /** <|tool_call>call:name{key:<|"|>text<|"|>}<tool_call|>: Gemma 4 */
  | 'brace-calls'
  /** <｜tool▁calls▁begin｜>...: DeepSeek-V3 and R1 */
  | 'section-tags'
  /** <｜DSML｜tool_calls><｜DSML｜invoke name="..."><｜DSML｜parameter name="..." string="true">...: DeepSeek-V4 */
  | 'invoke-tags'
  /** Messages on channels, some of them to tools: gpt-oss */
  | 'harmony';

/** How a model writes its answers. */
export interface AnswerFormat {
  /** Between which marks it thinks; none where it does not, or harmony's channels say it. */
  readonly reasoning?: { readonly start: string; readonly end: string };
  readonly calls: CallFormat;
  /** It writes them the older way, where there are two. */
  readonly isOlder?: boolean;
}

/** Whether an argument is a text by the tool's schema; undefined where nothing says. Formats without types need it. */
export type IsTextArgument = (tool: string, argument: string) => boolean | undefined;

/** Text in, parts out; holds back what may become a mark. One per answer; synchronous. */
export interface AnswerParser {
  push(text: string): AnswerPart[];
  /** What was held back. A call that was cut off stays as far as it came. */
  end(): AnswerPart[];
}
