/**
 * Owns the grammar of an answer that calls tools or meets a schema, in each format of calls: thoughts first, then what was asked for, as GBNF with
 * schemas in it (runtime/grammar/rules/gbnf.ts). Calls are written as the templates of the families write them.
 * Refuses models without a format of calls, by that name, and names of tools that a format has no way to write.
 */
import { InwardError } from '../../errors.ts';
import { callReaders } from './calls.ts';
import { harmonyMarks } from './harmony.ts';
import { writeBraces } from './held-braces.ts';
import { type MemberSyntax, writeAnyMembers, writeMembers } from './held-members.ts';
import type { JsonObject } from './held-schema.ts';
import { pythonTag } from './llama.ts';
import { join, quote, type WriteMark } from './symbols.ts';
import type { AnswerFormat, CallFormat } from './types.ts';

/** What an answer must be. */
export interface AnswerDemand {
  /** Tools that the model was told of, as templates get them. */
  readonly tools?: readonly Readonly<Record<string, unknown>>[];
  /** `auto` (default): it calls a tool or not; `required`: it does; or the name of the one that it calls, once. */
  readonly choice?: 'auto' | 'required' | { readonly name: string };
  /** Names of tools whose arguments keep to their schema where the choice is `auto`; those of others are any object then. */
  readonly strict?: readonly string[];
  /** Calls that it may have. Default: any number. */
  readonly callLimit?: number;
  /** JSON of the schema that it meets where it calls no tool. Default: it is text. */
  readonly schema?: string | undefined;
}

/** What a prompt has of a thought: it has begun one, has had one, or neither. */
export type Thought = 'open' | 'over' | undefined;

interface Tool {
  readonly name: string;
  /** Of its arguments; undefined: they are any object. */
  readonly parameters: JsonObject | undefined;
}

/** How calls are written. */
interface CallSyntax {
  /** Around all of them. */
  readonly open?: string;
  readonly close?: string;
  readonly write: (name: string, argument: string) => string;
  /** How arguments are written by their schema, with rules that they need; undefined: they are an object of JSON. */
  readonly writeArguments?: (parameters: JsonObject | undefined, rules: string[]) => string;
  /** Names stand in JSON, so they may have any character. */
  readonly hasQuotedNames?: boolean;
  /** Between two of them; undefined: there is one. */
  readonly gap?: string;
}

const empty = quote('');
/** Mistral's; it writes one or none. */
const callId = '[A-Za-z0-9]{9}';

const writeHead = (name: string, key: string): string => quote(`{"name": ${JSON.stringify(name)}, "${key}": `);
const writeObject = (name: string, argument: string, key = 'arguments'): string => join(writeHead(name, key), argument, quote('}'));
/** One by one between tags. */
const writeTagged =
  (syntax: MemberSyntax) =>
  (parameters: JsonObject | undefined): string =>
    parameters === undefined ? writeAnyMembers(syntax) : writeMembers(parameters, syntax);
/** Symbols of a text of DSML, whose mark may be a token. */
const writeDsml = (text: string, mark: WriteMark): string => {
  const [first = '', ...rest] = text.split(dsmlMark);
  return join(quote(first), ...rest.flatMap((part) => [mark(dsmlMark), quote(part)]));
};
const dsmlMark = '｜DSML｜';

const syntaxes: Readonly<Partial<Record<CallFormat, (mark: WriteMark, isOlder: boolean) => CallSyntax>>> = {
  'json-tags': (mark) => ({
    hasQuotedNames: true,
    write: (name, argument) => join(mark('<tool_call>'), quote('\n'), writeObject(name, argument), quote('\n'), mark('</tool_call>')),
    gap: quote('\n'),
  }),
  'parameter-tags': (mark) => ({
    write: (name, argument) => join(mark('<tool_call>'), quote(`\n<function=${name}>\n`), argument, quote('</function>\n'), mark('</tool_call>')),
    writeArguments: writeTagged({
      write: (name, value) => join(quote('<parameter='), name, quote('>\n'), value, quote('\n</parameter>\n')),
      end: '</parameter>',
    }),
    gap: quote('\n'),
  }),
  'argument-tags': (mark) => ({
    write: (name, argument) => join(mark('<tool_call>'), quote(`${name}\n`), argument, mark('</tool_call>')),
    writeArguments: writeTagged({
      write: (name, value) => join(quote('<arg_key>'), name, quote('</arg_key>\n<arg_value>'), value, quote('</arg_value>\n')),
      end: '</arg_value>',
    }),
    gap: quote('\n'),
  }),
  'bare-json': () => ({ hasQuotedNames: true, write: (name, argument) => writeObject(name, argument, 'parameters') }),
  'bracket-tags': (mark, isOlder) =>
    isOlder
      ? {
          hasQuotedNames: true,
          open: join(mark('[TOOL_CALLS]'), '" "?', quote('[')),
          write: (name, argument) => join(writeHead(name, 'arguments'), argument, `(${join(quote(', "id": "'), callId, quote('"'))})?`, quote('}')),
          gap: quote(', '),
          close: quote(']'),
        }
      : { write: (name, argument) => join(mark('[TOOL_CALLS]'), quote(name), `(${join(mark('[CALL_ID]'), callId)})?`, mark('[ARGS]'), argument), gap: empty },
  'json-list': (mark) => ({
    hasQuotedNames: true,
    open: join(mark('<|tool_call|>'), quote('[')),
    write: (name, argument) => writeObject(name, argument),
    gap: quote(', '),
    close: join(quote(']'), mark('<|/tool_call|>')),
  }),
  'brace-calls': (mark) => ({
    write: (name, argument) => join(mark('<|tool_call>'), quote(`call:${name}`), argument, mark('<tool_call|>')),
    writeArguments: (parameters, rules) => writeBraces(parameters, mark, rules),
    gap: empty,
  }),
  'invoke-tags': (mark) => ({
    open: join('"\\n\\n"?', writeDsml('<｜DSML｜tool_calls>\n', mark)),
    write: (name, argument) => join(writeDsml(`<｜DSML｜invoke name="${name}">\n`, mark), argument, writeDsml('</｜DSML｜invoke>\n', mark)),
    writeArguments: writeTagged({
      write: (name, value, isText) =>
        join(writeDsml('<｜DSML｜parameter name="', mark), name, quote(`" string="${isText}">`), value, writeDsml('</｜DSML｜parameter>\n', mark)),
      end: '</｜DSML｜parameter>',
      isTagged: true,
    }),
    gap: empty,
    close: writeDsml('</｜DSML｜tool_calls>', mark),
  }),
  'section-tags': (mark, isOlder) => ({
    open: mark('<｜tool▁calls▁begin｜>'),
    write: (name, argument) =>
      join(
        mark('<｜tool▁call▁begin｜>'),
        ...(isOlder ? [quote('function'), mark('<｜tool▁sep｜>'), quote(`${name}\n\`\`\`json\n`)] : [quote(name), mark('<｜tool▁sep｜>')]),
        argument,
        isOlder ? quote('\n```') : '',
        mark('<｜tool▁call▁end｜>'),
      ),
    gap: isOlder ? quote('\n') : empty,
    close: mark('<｜tool▁calls▁end｜>'),
  }),
  // A message to a tool is the last one: the tool speaks next.
  harmony: (mark) => ({
    write: (name, argument) => {
      const [channel, recipient] = [mark('<|channel|>'), `to=functions.${name}`];
      const heads = [
        join(channel, quote(`commentary ${recipient} `), mark('<|constrain|>'), quote('json')),
        join(quote(` ${recipient}`), channel, quote('commentary json')),
      ];
      return join(`(${heads.join(' | ')})`, mark('<|message|>'), argument);
    },
  }),
};

/** The grammar; undefined where there is nothing to hold it to, or the schema alone. Throws calls_unenforceable, grammar_invalid. */
export function writeAnswerGrammar(format: AnswerFormat, demand: AnswerDemand, thought: Thought, mark: WriteMark): string | undefined {
  const { choice = 'auto', schema } = demand;
  const calls = writeCalls(format, demand, mark);
  if (calls === undefined && schema === undefined) return undefined;
  const before = format.calls === 'harmony' ? writeAnalysis(mark) : writeThought(format, thought, mark);
  if (calls === undefined && before === '') return undefined;
  if (choice !== 'auto') return [`root ::= ${join(before, 'calls')}`, calls].join('\n');
  const content = schema === undefined ? writeText(format, mark) : writeValue(format, `%json ${schema}`, mark);
  // Llama's and harmony's calls are all of an answer; before others there may be text, and a value is instead of them.
  const isApart = schema !== undefined || format.calls === 'bare-json' || format.calls === 'harmony';
  const answer = calls === undefined ? 'content' : isApart ? '(content | calls)' : 'content calls?';
  return [`root ::= ${join(before, answer)}`, `content ::= ${content}`, calls ?? ''].join('\n');
}

/** The rule `calls`; undefined where none are made, or nothing is demanded of those that are. */
function writeCalls({ calls: name, isOlder = false }: AnswerFormat, demand: AnswerDemand, mark: WriteMark): string | undefined {
  const { choice = 'auto', strict = [], schema, callLimit = Number.POSITIVE_INFINITY } = demand;
  const isNeeded = choice !== 'auto' || strict.length > 0;
  const tools = (demand.tools ?? []).map((tool) => readTool(tool, choice !== 'auto' ? undefined : strict));
  const named = typeof choice === 'string' ? tools : tools.filter((tool) => tool.name === choice.name);
  if (named.length === 0 && choice !== 'auto') throw new InwardError('grammar_invalid', { rule: 'name a tool that there is', path: 'tools' });
  if (named.length === 0 || !(isNeeded || schema !== undefined)) return undefined;
  const syntax = syntaxes[name]?.(mark, isOlder);
  // Beside other JSON a call of Llama's could be told by its names only.
  if (schema !== undefined && choice === 'auto' && (name === 'bare-json' || (syntax === undefined && !isNeeded))) return undefined;
  if (syntax === undefined) throw new InwardError('calls_unenforceable', { format: name });
  if (new Set(named.map((tool) => tool.name)).size < named.length) throw new InwardError('grammar_invalid', { rule: 'name each tool once', path: 'tools' });
  const { open = '', gap, close = '', write, hasQuotedNames = false, writeArguments = writeJson } = syntax;
  if (!hasQuotedNames && !named.every((tool) => /^[^\s<>"{}[\]]+$/.test(tool.name)))
    throw new InwardError('grammar_invalid', { rule: 'name tools without white space, quotation marks and brackets', path: 'tools' });
  const isSingle = callLimit === 1 || typeof choice !== 'string' || gap === undefined;
  const rules: string[] = [];
  const written = named.map((tool) => write(tool.name, writeArguments(tool.parameters, rules)));
  return [`calls ::= ${join(open, 'call', isSingle ? '' : `(${gap} call)*`, close)}`, `call ::= ${written.join(' | ')}`, ...rules].join('\n');
}

/** `strict`: the names whose schema counts; undefined: all. */
function readTool(tool: JsonObject, strict: readonly string[] | undefined): Tool {
  const { name, parameters = {} } = tool['function'] as { readonly name: string; readonly parameters?: JsonObject };
  return { name, parameters: strict === undefined || strict.includes(name) ? parameters : undefined };
}

const writeJson = (parameters: JsonObject | undefined): string => `%json ${JSON.stringify({ ...parameters, type: 'object' })}`;

const space = '[ \\n]{0,4}';

function writeThought({ reasoning }: AnswerFormat, thought: Thought, mark: WriteMark): string {
  if (reasoning === undefined || thought === 'over') return '';
  const rest = join(`%without ${quote(reasoning.end)}`, mark(reasoning.end), space);
  return thought === 'open' ? rest : `(${join(space, mark(reasoning.start), rest)})?`;
}

function writeAnalysis(mark: WriteMark): string {
  return `(${join(writeMessage('analysis', writeWithout(harmonyMarks), mark), mark('<|end|>'), mark('<|start|>'), quote('assistant'))})?`;
}

const writeMessage = (head: string, content: string, mark: WriteMark): string => join(mark('<|channel|>'), quote(head), mark('<|message|>'), content);

function writeValue({ calls }: AnswerFormat, value: string, mark: WriteMark): string {
  return calls === 'harmony' ? writeMessage('final', value, mark) : value;
}

/** Text that is no call and no thought. */
function writeText({ reasoning, calls }: AnswerFormat, mark: WriteMark): string {
  if (calls === 'harmony') return writeMessage('final', writeWithout(harmonyMarks), mark);
  const thought = reasoning === undefined ? [] : [reasoning.start];
  if (calls === 'bare-json') return `([^{< \\n\\r\\t] ${writeWithout([pythonTag, ...thought])})?`;
  const start = callReaders[calls]?.start;
  return writeWithout([...(start === undefined ? [] : [start]), ...thought]);
}

const writeWithout = (marks: readonly string[]): string => `%without (${marks.map(quote).join(' | ')})`;
