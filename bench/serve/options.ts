/** Owns the command line of the load bench. Refuses to measure. */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type DeviceName, engineNumbers } from '../../runtime/index.ts';
import { deviceOption, integer, modelOption, UsageError } from '../../server/cli/options.ts';
import { type Mix, mixKinds } from './load.ts';
import { type ExperimentName, experimentNames } from './targets.ts';

export interface LoadOptions {
  readonly model?: string;
  readonly device: DeviceName | 'auto';
  /** Of a running server, instead of starting one. */
  readonly url?: string;
  /** What it takes as a bearer token. */
  readonly key?: string;
  readonly servedModel?: string;
  readonly ignoreEos: boolean;
  /** More arguments of `inward serve`. */
  readonly serve: readonly string[];
  /** Ids of prompts stay below. */
  readonly vocabulary?: number;
  /** Tokens of a request, prompt and answer together. */
  readonly context?: number;
  readonly trace?: string;
  readonly limit: number;
  readonly scaleTime?: number;
  readonly scaleLength?: number;
  readonly mix: Mix;
  /** Requests a second. */
  readonly rate: number;
  readonly requests?: number;
  readonly concurrency?: number;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly seed: number;
  /** In ms. */
  readonly sloTtft: number;
  readonly sloItl: number;
  /** Seconds that one request may take. */
  readonly timeout: number;
  readonly experiment?: ExperimentName | 'all';
  readonly rounds: number;
  /** Experiments with little work, which are not judged. */
  readonly quick: boolean;
  readonly json?: string;
  readonly svg?: string;
}

/** Of SmolLM2. */
export const standardVocabulary = 49_152;

const examples = `
Examples:
  npm run bench:serve
  npm run bench:serve -- --experiment all --svg serve.svg
  npm run bench:serve -- --mix chat=8,prompt=1,answer=1 --rate 0.5 --requests 40
  npm run bench:serve -- --concurrency 8 --prompt-tokens 64 --new-tokens 64
  npm run bench:serve -- --trace azure-2023-conv.dev.csv --limit 50 --slo-ttft 5000 --slo-itl 200
  npm run bench:serve -- --url http://127.0.0.1:8000 --vocabulary 49152`;

/** Throws UsageError, or commander's CommanderError after it has printed help or what is wrong. */
export function parseLoadOptions(args: readonly string[]): LoadOptions {
  const options = new Command('inward bench serve')
    .description('Put a server under load over HTTP: time to first token, time between tokens, tokens a second, goodput, errors. The last line is JSON.')
    .addOption(modelOption())
    .addOption(deviceOption())
    .option('--url <url>', 'measure the server that runs there, instead of starting one; any with /v1/completions that takes token ids', parseUrl)
    .addOption(new Option('--key-file <file>', 'with --url: file with the key that the server wants, on one line').argParser(readKey))
    .option('--served-model <name>', 'with --url: what to ask for; default: the first of /v1/models')
    .option('--no-ignore-eos', 'do not send "ignore_eos", for servers that refuse it; answers may then be shorter than asked')
    .addOption(new Option('--serve <arguments>', 'more arguments of `inward serve`, with spaces between').argParser(parseWords).default([], 'none'))
    .option(
      '--vocabulary <count>',
      `tokens of the vocabulary, ids of prompts stay below; default: what the model file says, with --url ${standardVocabulary}`,
      integer(100),
    )
    .option(
      '--context <tokens>',
      `what prompt and answer of a request may have together; default: the model's limit, at most ${engineNumbers.contextLength.standard}`,
      integer(16),
    )
    .option('--trace <file>', 'replay arrivals and lengths of a file (CSV, or JSON lines with shared blocks)')
    .option('--limit <count>', 'requests of the trace, from its beginning', integer(1), 50)
    .option('--scale-time <factor>', 'times of the trace times this; default: what makes its mean rate that of --rate', parseFactor)
    .option('--scale-length <factor>', 'lengths of the trace times this; default: what lets the longest request fit --context', parseFactor)
    .addOption(
      new Option('--mix <parts>', `parts of ${Object.keys(mixKinds).join(', ')}: short chats, long prompts, long answers`)
        .argParser(parseMix)
        .default({ chat: 6, prompt: 2, answer: 2 }, 'chat=6,prompt=2,answer=2'),
    )
    .option('--rate <number>', 'requests a second, at times of a Poisson process', parseFactor, 0.2)
    .option('--requests <count>', 'requests in all (default: 30, with --concurrency one burst)', integer(1, 1_000_000))
    .option('--concurrency <count>', 'instead of arrivals: bursts of so many at once, the next when all have ended', integer(1, 10_000))
    .option('--prompt-tokens <count>', 'with --concurrency: length of each prompt', integer(1), 64)
    .option('--new-tokens <count>', 'with --concurrency: length of each answer', integer(1), 32)
    .option('--seed <number>', 'of lengths, arrivals and prompts', integer(0), 1)
    .option('--slo-ttft <ms>', 'goodput: longest time to the first token', parseFactor, 10_000)
    .option('--slo-itl <ms>', 'goodput: longest mean time between the tokens of a request', parseFactor, 500)
    .option('--timeout <seconds>', 'longest time for one request', integer(1, 86_400), 900)
    .addOption(new Option('--experiment <name>', 'instead of a load: what a target asks for').choices([...experimentNames, 'all']))
    .option('--rounds <count>', 'rounds of an experiment', integer(1, 100), 3)
    .option('--quick', 'experiments with little work, to see that they run; they are not judged', false)
    .option('--json <file>', 'also write the record to a file')
    .option('--svg <file>', 'draw how times are distributed')
    .addHelpText('after', examples)
    .exitOverride()
    .showHelpAfterError('See --help.')
    .parse(args, { from: 'user' })
    .opts<LoadOptions & { readonly keyFile?: string }>();
  checkTogether(options);
  const { keyFile: key, ...rest } = options;
  return key === undefined ? rest : { ...rest, key };
}

/** Options of which one would silently have no effect. */
function checkTogether({
  url,
  keyFile,
  servedModel,
  serve,
  model,
  trace,
  concurrency,
  experiment,
  scaleTime,
  scaleLength,
}: LoadOptions & { readonly keyFile?: string }): void {
  if (url !== undefined && (serve.length > 0 || model !== undefined)) throw new UsageError('--url measures a server that runs: leave --model and --serve out.');
  if (servedModel !== undefined && url === undefined) throw new UsageError('--served-model needs --url.');
  if (keyFile !== undefined && url === undefined) throw new UsageError('--key-file needs --url.');
  const loads = [trace !== undefined && '--trace', concurrency !== undefined && '--concurrency', experiment !== undefined && '--experiment'].filter(Boolean);
  if (loads.length > 1) throw new UsageError(`${loads.join(' and ')} are different loads: choose one.`);
  if (trace === undefined && (scaleTime !== undefined || scaleLength !== undefined)) throw new UsageError('--scale-time and --scale-length need --trace.');
}

function parseUrl(text: string): string {
  if (!URL.canParse(text) || new URL(text).protocol !== 'http:') throw new InvalidArgumentError('Expected a URL like http://127.0.0.1:8000.');
  return new URL(text).origin;
}

/** Not as an option's value: command lines are open to all on the machine. */
function readKey(path: string): string {
  let key: string | undefined;
  try {
    key = readFileSync(path, 'utf8').split('\n')[0]?.trim();
  } catch {
    throw new InvalidArgumentError('Expected a readable file.');
  }
  if (!key) throw new InvalidArgumentError('Expected a file with the key on its first line, found none there.');
  return key;
}

function parseWords(text: string): readonly string[] {
  return text.split(' ').filter((word) => word !== '');
}

function parseFactor(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1e9)) throw new InvalidArgumentError('Expected a number above 0.');
  return value;
}

/** `chat=8,answer=2`: what is not named has no part. */
function parseMix(text: string): Mix {
  const mix = { chat: 0, prompt: 0, answer: 0 };
  for (const part of text.split(',')) {
    const [, kind = '', share = ''] = /^(chat|prompt|answer)=(\d+(?:\.\d+)?)$/.exec(part) ?? [];
    if (kind === '') throw new InvalidArgumentError(`Expected parts of ${Object.keys(mixKinds).join(', ')}, like chat=8,prompt=1,answer=1.`);
    mix[kind as keyof Mix] = Number(share);
  }
  if (mix.chat + mix.prompt + mix.answer === 0) throw new InvalidArgumentError('Expected a part above 0.');
  return mix;
}
