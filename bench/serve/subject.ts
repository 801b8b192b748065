/**
 * Owns what is put under load: this project's server, started with a model and a device, or one that runs at a URL; and what must be known of
 * either to ask it. Warmed up before anyone measures.
 */
import { basename } from 'node:path';
import { openCheckpoint } from '../../runtime/checkpoint/index.ts';
import { type DeviceName, engineNumbers } from '../../runtime/index.ts';
import { readModel } from '../../runtime/plan.ts';
import { ensureDevice } from '../../scripts/setup/index.ts';
import { UsageError } from '../../server/cli/options.ts';
import { findModel } from '../model.ts';
import type { Target } from './client.ts';
import { planBurst } from './load.ts';
import { type LoadOptions, standardVocabulary } from './options.ts';
import { idRange } from './prompts.ts';
import { runLoad } from './run.ts';
import { readServedModel, startServer } from './server.ts';

/** What the command line leaves open, decided. */
export interface Prepared {
  /** Undefined with --url. */
  readonly own: { readonly model: string; readonly device: DeviceName } | undefined;
  /** The model's name, for people. */
  readonly name: string;
  /** Tokens of a request. */
  readonly context: number;
  /** Of prompts. */
  readonly ids: readonly [number, number];
}

/** What of the command line decides that. */
export type SubjectOptions = Partial<Pick<LoadOptions, 'url' | 'key' | 'vocabulary' | 'context' | 'servedModel' | 'model'>> & Pick<LoadOptions, 'device'>;

/** Fetches what is missing. Throws UsageError and InwardError. */
export async function prepareSubject(options: SubjectOptions): Promise<Prepared> {
  const { url, key, vocabulary, context } = options;
  if (url !== undefined) {
    const name = options.servedModel ?? (await readServedModel(url, key));
    return { own: undefined, name, context: context ?? engineNumbers.contextLength.standard, ids: idRange(vocabulary ?? standardVocabulary) };
  }
  const device = (await ensureDevice(options.device)).name;
  const model = await findModel(options.model);
  using checkpoint = openCheckpoint(model);
  const { config } = readModel(checkpoint);
  if (context !== undefined && context > config.contextLength)
    throw new UsageError(`The context of this model holds ${config.contextLength} tokens, and --context asks for ${context}.`);
  return {
    own: { model, device },
    name: basename(model),
    context: context ?? Math.min(config.contextLength, engineNumbers.contextLength.standard),
    ids: idRange(vocabulary ?? config.vocabularySize),
  };
}

/** Ready and warm. */
export interface Subject extends AsyncDisposable {
  readonly target: Target;
}

/** Requests of the warm-up, and their lengths in tokens. */
const warmUp = { count: 8, promptTokens: 4, newTokens: 4 };

/** Throws UsageError. */
export async function openSubject(options: LoadOptions, { own, name, context, ids }: Prepared): Promise<Subject> {
  const { url, key, serve, timeout, ignoreEos, seed } = options;
  const server = own === undefined ? undefined : await startServer({ ...own, more: ['--context', String(context), ...serve] });
  const subject = {
    target: {
      url: server?.url ?? url ?? '',
      model: own === undefined ? name : 'default',
      key: server?.key ?? key,
      timeoutMs: timeout * 1000,
      ignoresEnd: ignoreEos,
      // Ours has them at hand; elsewhere they may cost something.
      countsTokens: own !== undefined,
    },
    [Symbol.asyncDispose]: async () => server?.[Symbol.asyncDispose](),
  };
  const failures = (await runLoad(subject.target, planBurst({ kind: 'warm-up', ...warmUp, seed }), ids)).flatMap(({ failure }) => failure ?? []);
  if (failures.length < warmUp.count) return subject;
  await subject[Symbol.asyncDispose]();
  throw new UsageError(
    `The server answers no request of the warm-up (${failures[0]}); does it take token ids, stream_options${ignoreEos ? ' and ignore_eos' : ''}?`,
  );
}
