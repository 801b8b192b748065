/**
 * Owns the slash commands of `inward chat`. Refuses to repeat what was typed: it may be half a question.
 */
import { findNearest } from '../../config/nearest.ts';
import { describeStandard, flagName } from '../../config/table.ts';
import { samplingNames, samplingTable } from '../sampling.ts';
import type { ChatSession } from './session.ts';

export interface ChatContext {
  readonly session: ChatSession;
  notify(sentence: string): void;
  /** Lines up to one that says /end, joined; undefined if the input ends first. */
  readLines(): Promise<string | undefined>;
  /** Forgets the lines that were typed. */
  forget(): void;
  leave(): void;
}

interface ChatCommand {
  readonly names: readonly string[];
  readonly usage: string;
  readonly help: string;
  /** False if it failed. */
  run(context: ChatContext, argument: string): boolean | Promise<boolean>;
}

const commands: readonly ChatCommand[] = [
  { names: ['help'], usage: '/help', help: 'this list', run: done(({ notify }) => notify(describeCommands())) },
  {
    names: ['clear'],
    usage: '/clear',
    help: 'forget all turns and typed lines; the system message stays',
    run: done(({ session, forget, notify }) => {
      session.conversation.clear();
      forget();
      notify('All turns are forgotten.');
    }),
  },
  {
    names: ['system'],
    usage: '/system [TEXT]',
    help: 'set the system message, for all questions from now on; without a text there is none',
    run: done(({ session, notify }, text) => {
      session.conversation.system = text;
      notify(text === '' ? 'There is no system message now.' : 'The system message is set.');
    }),
  },
  { names: ['retry', 'regenerate'], usage: '/retry', help: 'answer the last question anew (/regenerate is the same)', run: ({ session }) => session.retry() },
  { names: ['set'], usage: '/set [NAME [VALUE]]', help: 'show or change a setting of the answers; without a value the default again', run: setSampling },
  { names: ['multi'], usage: '/multi', help: 'write a message of several lines; a line /end sends it', run: askSeveralLines },
  {
    names: ['stats'],
    usage: '/stats',
    help: 'turns, context, and the speed of the last answer',
    run: done(({ session, notify }) => notify(session.describe())),
  },
  { names: ['exit', 'quit'], usage: '/exit', help: 'leave and forget everything (Ctrl-D is the same)', run: done(({ leave }) => leave()) },
];

function done(act: (context: ChatContext, argument: string) => void): ChatCommand['run'] {
  return (context, argument) => {
    act(context, argument);
    return true;
  };
}

/** Whether a message is a command; one that starts with // is a message that starts with /. */
export const isCommand = (message: string): boolean => message.startsWith('/') && !message.startsWith('//');

/** Runs a command; false if it failed, and the user has read why. */
export async function runChatCommand(message: string, context: ChatContext): Promise<boolean> {
  const [, name = '', argument = ''] = /^\/(\S*)\s*([\s\S]*)$/.exec(message) ?? [];
  const names = commands.flatMap((command) => command.names);
  const found = commands.find((command) => command.names.includes(name.toLowerCase()));
  if (found !== undefined) return found.run(context, argument.trim());
  const nearest = findNearest(name, names);
  context.notify(
    `There is no such command${nearest === undefined ? '' : `; did you mean /${nearest}?`} /help lists them. A message that starts with / is written with //.`,
  );
  return false;
}

function describeCommands(): string {
  const width = Math.max(...commands.map(({ usage }) => usage.length));
  return [
    ...commands.map(({ usage, help }) => `${usage.padEnd(width)}  ${help}`),
    '',
    'Anything else is a question. Ctrl-C stops an answer; a second one, or one on an empty line, leaves. Ctrl-D leaves.',
  ].join('\n');
}

function setSampling({ session, notify }: ChatContext, argument: string): boolean {
  const [given = '', text = '', ...rest] = argument.split(/[\s=]+/);
  const show = (name: (typeof samplingNames)[number]): string => `${flagName(name, {})} ${session.sampling.get(name) ?? describeStandard(samplingTable[name])}`;
  if (given === '') {
    notify(samplingNames.map(show).join('\n'));
    return true;
  }
  const flags = samplingNames.map((name) => flagName(name, {}));
  const name = samplingNames[flags.indexOf(given.toLowerCase())];
  if (name === undefined || rest.length > 0) {
    const nearest = findNearest(given, flags);
    notify(`${nearest === undefined ? 'There is no such setting' : `Did you mean ${nearest}?`} /set takes a name and a value; names: ${flags.join(', ')}.`);
    return false;
  }
  const { schema, read, expected, standard } = samplingTable[name];
  const result = text === '' ? undefined : schema.safeParse(read(text));
  if (result?.success === false) {
    notify(`${flagName(name, {})} must be ${expected}.`);
    return false;
  }
  const value = result?.data ?? standard;
  if (value === undefined) session.sampling.delete(name);
  else session.sampling.set(name, value);
  notify(show(name));
  return true;
}

async function askSeveralLines({ session, notify, readLines }: ChatContext): Promise<boolean> {
  const message = await readLines();
  if (message !== undefined && message.trim() !== '') return session.ask(message);
  notify('Nothing was sent.');
  return message !== undefined;
}
