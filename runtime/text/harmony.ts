/**
 * Owns the prompts of gpt-oss where they are built message by message and not by a chat template: the harmony format. Source: openai/harmony docs/format.md.
 * Refuses nothing: it writes what it is told. A text that spells a mark must be kept from becoming one by whoever encodes the result.
 */
import { writeTools } from './harmony-tools.ts';

/** One message; which of the fields count depends on the role. */
export interface HarmonyMessage {
  /** system, developer, user, assistant or tool. */
  readonly role: string;
  /** Of a tool, `functions.name`. */
  readonly name?: string;
  readonly content?: string;
  readonly channel?: string;
  readonly recipient?: string;
  /** As `<|constrain|>json`. */
  readonly content_type?: string;
  /** Of the system's message. */
  readonly model_identity?: string;
  readonly reasoning_effort?: string;
  readonly knowledge_cutoff?: string;
  readonly current_date?: string;
  readonly channels?: readonly string[];
  readonly builtin_tools?: readonly string[];
  /** Of the developer's message. */
  readonly instructions?: string;
  readonly functions?: readonly HarmonyFunction[];
}

/** A function that the model may call; `parameters` is a JSON schema. */
export interface HarmonyFunction {
  readonly name: string;
  readonly description?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** The text of a conversation. `nextRole`: whose turn is next; `dropsAnalysis`: thoughts before the first final answer are left out where the last answer is one. */
export function renderHarmony(
  messages: readonly HarmonyMessage[],
  { nextRole, dropsAnalysis = true }: { readonly nextRole?: string; readonly dropsAnalysis?: boolean } = {},
): string {
  const hasFunctions = messages.some(({ functions }) => functions !== undefined && functions.length > 0);
  const isOver = dropsAnalysis && messages.findLast(({ role }) => role === 'assistant')?.channel === 'final';
  const firstFinal = messages.findIndex(({ channel }) => channel === 'final');
  const kept = messages.filter(({ channel }, place) => !(isOver && place < firstFinal && channel === 'analysis'));
  return kept.map((message) => writeMessage(message, hasFunctions)).join('') + (nextRole === undefined ? '' : `<|start|>${nextRole}`);
}

function writeMessage(message: HarmonyMessage, hasFunctions: boolean): string {
  const { role, name, channel, recipient, content_type: type } = message;
  const author = role === 'tool' ? (name ?? role) : name === undefined ? role : `${role}:${name}`;
  const head = [
    author,
    recipient === undefined || recipient === 'all' ? '' : ` to=${recipient}`,
    channel === undefined ? '' : `<|channel|>${channel}`,
    type === undefined ? '' : ` ${type}`,
  ];
  const end = role === 'assistant' && recipient !== undefined && recipient !== 'all' ? '<|call|>' : '<|end|>';
  return `<|start|>${head.join('')}<|message|>${writeContent(message, hasFunctions)}${end}`;
}

function writeContent(message: HarmonyMessage, hasFunctions: boolean): string {
  if (message.content !== undefined) return message.content;
  const { instructions, functions, builtin_tools: tools, channels } = message;
  const sections = [
    writeSystem(message),
    message.reasoning_effort === undefined ? '' : `Reasoning: ${message.reasoning_effort}`,
    instructions === undefined ? '' : `# Instructions\n\n${instructions}`,
    writeTools(tools ?? [], functions ?? []),
    channels === undefined || channels.length === 0 ? '' : writeChannels(channels, hasFunctions),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

function writeSystem({ model_identity: identity, knowledge_cutoff: cutoff, current_date: date }: HarmonyMessage): string {
  const lines = [identity, cutoff === undefined ? undefined : `Knowledge cutoff: ${cutoff}`, date === undefined ? undefined : `Current date: ${date}`];
  return lines.filter((line) => line !== undefined).join('\n');
}

function writeChannels(channels: readonly string[], hasFunctions: boolean): string {
  const line = `# Valid channels: ${channels.join(', ')}. Channel must be included for every message.`;
  return hasFunctions ? `${line}\nCalls to these tools must go to the commentary channel: 'functions'.` : line;
}
