/**
 * Owns one answer of a model on a terminal or into a pipe, for `run` and `chat`: opened model, stream, numbers.
 * Refuses to pass control characters of the model's text to a terminal.
 */
import { type Engine, InwardError } from '../../runtime/index.ts';
import type { TextModel } from '../../runtime/text/index.ts';
import { type Settings, toTextOptions } from '../config.ts';
import type { World } from '../world.ts';
import { demandSums } from './model/trust.ts';
import { prepareEngine } from './options.ts';
import { openEngine } from './progress.ts';
import { type SamplingValues, toSampling } from './sampling.ts';
import { toTerminal } from './terminal.ts';

export interface OpenModel extends AsyncDisposable {
  readonly engine: Engine;
  readonly text: TextModel;
  readonly deviceReason: string;
}

/** Engine and text for one reader; fetches what is missing. */
export async function openModel(settings: Settings, world: World): Promise<OpenModel> {
  const { engine: options, deviceReason } = await prepareEngine({ ...settings, maxSequences: 1 }, world);
  await demandSums(settings, options.modelPath, world);
  await using opened = new AsyncDisposableStack();
  // First, because it is quick: what has no tokenizer is refused before weights are loaded and kernels measured.
  const text = opened.use(await world.openText(toTextOptions(settings, options.modelPath)));
  const engine = opened.use(await openEngine(options, world));
  const { encoder, family } = engine.info;
  if (encoder !== undefined) throw new InwardError('generation_unsupported', { family });
  const owned = opened.move();
  return { engine, text, deviceReason, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

export interface AnswerReport {
  readonly promptTokens: number;
  readonly tokens: number;
  readonly firstTokenMs: number;
  /** Without the first token. */
  readonly decodeMs: number;
  /** No stop token came: the answer was cut at the number of tokens it might have. */
  readonly isCut: boolean;
}

export interface AnswerRequest {
  readonly promptIds: Uint32Array;
  readonly sampling: SamplingValues;
  readonly signal: AbortSignal;
  /** Gets the text as the model wrote it. */
  readonly onText?: (piece: string) => void;
}

/** Streams the answer to the world's output, with a line break at its end, and zeroes the ids of the prompt. Throws prompt_too_long, aborted and what else the engine does. */
export async function streamAnswer({ engine, text }: OpenModel, request: AnswerRequest, world: World): Promise<AnswerReport> {
  const { promptIds, sampling, signal, onText } = request;
  const room = engine.info.contextLength - promptIds.length;
  if (room < 1) throw new InwardError('prompt_too_long', { found: promptIds.length, limit: engine.info.contextLength });
  const maxTokens = Math.min(sampling.maxTokens ?? room, room);
  const decoder = text.createDecoder();
  const write = (piece: string): void => {
    onText?.(piece);
    world.out.write(toTerminal(piece, world.out));
  };
  const start = performance.now();
  let [firstAt, tokens, isCut] = [start, 0, false];
  try {
    for await (const event of engine.generate({ promptIds, maxTokens, stopIds: text.info.stopIds, sampling: toSampling(sampling) }, signal)) {
      if (event.type === 'token') {
        if (tokens++ === 0) firstAt = performance.now();
        write(decoder.push(event.id));
      } else if (event.type === 'end') {
        isCut = event.reason === 'length';
        write(decoder.end());
      }
    }
  } finally {
    promptIds.fill(0);
  }
  world.out.write('\n');
  return { promptTokens: promptIds.length, tokens, firstTokenMs: firstAt - start, decodeMs: performance.now() - firstAt, isCut };
}

/** `9 prompt tokens, first token after 0.03 s, 14 tokens, 33.1 tok/s`. */
export function describeAnswer({ promptTokens, tokens, firstTokenMs, decodeMs }: AnswerReport): string {
  const speed = tokens > 1 ? `, ${((tokens - 1) / (decodeMs / 1000)).toFixed(1)} tok/s` : '';
  return `${promptTokens} prompt tokens, first token after ${(firstTokenMs / 1000).toFixed(2)} s, ${tokens} tokens${speed}`;
}

/** Calls `onSignal` with SIGINT and SIGTERM until disposed. */
export function watchSignals(world: World, onSignal: (name: 'SIGINT' | 'SIGTERM') => void): Disposable {
  const listeners = (['SIGINT', 'SIGTERM'] as const).map((name) => ({ name, listener: () => onSignal(name) }));
  for (const { name, listener } of listeners) world.signals.on(name, listener);
  return {
    [Symbol.dispose]: () => {
      for (const { name, listener } of listeners) world.signals.off(name, listener);
    },
  };
}
