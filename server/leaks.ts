/**
 * Owns what a server refuses to be started with, because it would carry what requests hold out of the process: flags of Node that
 * open a debugger or write memory to files, code that others load into it. Refuses every flag that it does not know, too.
 */
import { SettingsError } from './config.ts';

/** How the process was started. */
export interface Launched {
  /** Flags of Node from its command line. */
  readonly nodeFlags: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A debugger can connect. */
  readonly isInspected: boolean;
}

/** Flags that change nothing of where content goes; the second line: those that engine and text process are started with. Node takes `_` for `-`. */
const harmless = new RegExp(
  '^--(?:max-old-space-size|max-semi-space-size|max-heap-size|stack-size|disable-sigusr1|clear-free-memory|expose-gc|(?:no-)?warnings|disable-warning|(?:no-)?deprecation|use-(?:openssl|bundled|system)-ca|enable-fips|force-fips|enable-source-maps|dns-result-order|unhandled-rejections' +
    '|permission|allow-fs-read|allow-fs-write|allow-addons|optimize-for-size|gc-global|single-threaded-gc|v8-pool-size|disallow-code-generation-from-strings)(?:=|$)',
);

/** The first that fits says why. */
const flagReasons: readonly (readonly [RegExp, string])[] = [
  [/^--(?:inspect|debug)|^--experimental-network-inspection/, 'opens a debugger, which reads whatever requests hold'],
  [/^--heapsnapshot/, 'writes the heap, and with it what requests hold, to a file'],
  [/^--(?:heap|cpu)-prof|^--(?:perf|prof|interpreted-frames)/, 'writes what the process does to a file'],
  [/^--report/, 'writes reports of the process to a file'],
  [/^--abort-on/, 'leaves the memory of the process in a core file'],
  [/^--diagnostic-dir/, 'is for files with diagnostics, of which there may be none'],
  [/^--(?:experimental-)?test-coverage/, 'writes what the process does to a file'],
  [/^--tls-keylog|^--trace-tls/, 'gives away the keys of connections'],
  [/^--(?:trace|log)/, 'writes what the process does to a file or terminal'],
  [/^(?:--require|-r|--import|--loader|--experimental-loader|--env-file)/, 'brings in code or settings from elsewhere'],
];

const variableReasons: Readonly<Record<string, string>> = {
  NODE_V8_COVERAGE: 'writes what the process does to files',
  NODE_DEBUG: 'prints requests and answers',
  NODE_DEBUG_NATIVE: 'prints what Node does inside',
  NODE_REDIRECT_WARNINGS: 'writes to a file of its own',
  LD_PRELOAD: 'loads code of others, which reads whatever requests hold',
  LD_AUDIT: 'loads code of others, which reads whatever requests hold',
};

/** Something that must not be there. */
export interface Leak {
  /** A flag, `variable NAME`, or `a value without a flag`; never a value. */
  readonly name: string;
  readonly sentence: string;
}

/** Throws SettingsError with the first thing that must not be there. */
export function refuseLeaks(launched: Launched): void {
  const [first] = findLeaks(launched);
  if (first !== undefined) throw new SettingsError(first.sentence);
  refuseInspector(launched);
}

/** Of any process of a server. */
export function findLeaks({ nodeFlags, environment }: Pick<Launched, 'nodeFlags' | 'environment'>): Leak[] {
  const variables = Object.entries(variableReasons).filter(([name]) => (environment[name] ?? '') !== '');
  return [
    ...nodeFlags.flatMap((flag) => judgeFlag(flag, 'on the command line') ?? []),
    ...splitOptions(environment['NODE_OPTIONS'] ?? '').flatMap((flag) => judgeFlag(flag, 'in NODE_OPTIONS') ?? []),
    ...variables.map(([name, reason]) => ({
      name: `variable ${name}`,
      sentence: `The variable ${name} is set, which ${reason}: start the server without it (unset ${name}).`,
    })),
  ];
}

/** Throws SettingsError while a debugger can connect: a signal opens one too, until the server takes that. */
export function refuseInspector({ isInspected }: Pick<Launched, 'isInspected'>): void {
  if (isInspected)
    throw new SettingsError('A debugger of Node is open in this process, which reads whatever requests hold: start the server anew, without one.');
}

function judgeFlag(text: string, place: string): Leak | undefined {
  const flag = text.replaceAll('_', '-');
  if (harmless.test(flag)) return undefined;
  const name = /^--?[a-z0-9-]+/i.exec(flag)?.[0];
  if (name === undefined)
    return { name: 'a value without a flag', sentence: `There is a value without a flag of Node ${place}: expected --flag=value; leave it out.` };
  const reason = flagReasons.find(([pattern]) => pattern.test(flag))?.[1] ?? 'is not among those that a server may have';
  return { name, sentence: `The flag ${name} of Node ${place} ${reason}: start the server without it.` };
}

/** At blanks, outside of double quotes, as Node does it. */
function splitOptions(text: string): string[] {
  return (text.match(/(?:[^\s"]|"(?:\\.|[^"\\])*"?)+/g) ?? []).map((option) => option.replaceAll('"', ''));
}
