/**
 * Owns the embedding of many texts by an engine that takes one request for each: what is refused before any begins, how many are under way
 * at once, and the length of the vectors. Refuses to give a part: whatever fails, all of it does, and what was there is zeroed.
 */
import { InwardError } from './errors.ts';
import type { Embedding, EmbedOptions, Engine, EngineInfo, GenerateRequest } from './types.ts';

/** Texts under way for each that a step can take: the next ones wait where the engine finds them. */
const ahead = 2;

/** What `Engine.embed` is, over `generate`. */
export async function embedTexts(
  engine: Pick<Engine, 'info' | 'generate'>,
  texts: readonly Uint32Array[],
  { truncates = false, normalizes = engine.info.encoder?.isNormalized ?? false, deadlineMs, ...whose }: EmbedOptions = {},
  signal?: AbortSignal,
): Promise<Embedding[]> {
  const { info } = engine;
  if (info.encoder === undefined) throw new InwardError('embeddings_unsupported', { family: info.family });
  for (const [index, ids] of texts.entries()) checkText(ids, index + 1, texts.length, truncates, info);
  const deadline = performance.now() + (deadlineMs ?? Number.POSITIVE_INFINITY);
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const found: Embedding[] = [];
  const left = Array.from(texts.keys()).reverse();
  let workers = Math.min(texts.length, ahead * info.maxSequences);
  async function work(): Promise<void> {
    for (let index = left.pop(); index !== undefined; index = left.pop()) {
      const limit = deadlineMs === undefined ? {} : { deadlineMs: Math.max(1, deadline - performance.now()) };
      try {
        found[index] = await embedText(engine, texts[index] ?? new Uint32Array(), { ...whose, ...limit }, normalizes, either);
      } catch (error) {
        // Other texts of these hold places in the queue, and whoever has one goes on with this.
        if (workers === 1 || !(error instanceof InwardError && error.code === 'queue_full')) throw error;
        left.push(index);
        break;
      }
    }
    workers--;
  }
  const works = Array.from({ length: workers }, work);
  try {
    await Promise.all(works);
    return found;
  } catch (error) {
    stop.abort();
    await Promise.allSettled(works);
    for (const embedding of found) embedding?.values.fill(0);
    throw error;
  }
}

function checkText(ids: Uint32Array, place: number, count: number, truncates: boolean, { contextLength: limit, vocabularySize }: EngineInfo): void {
  if (ids.length === 0) throw new InwardError('prompt_empty');
  if (!truncates && ids.length > limit) throw new InwardError('text_too_long', { place, count, found: ids.length, limit });
  if (ids.some((id) => id >= vocabularySize)) throw new InwardError('token_out_of_range', { limit: vocabularySize });
}

async function embedText(
  engine: Pick<Engine, 'info' | 'generate'>,
  ids: Uint32Array,
  whose: Pick<GenerateRequest, 'deadlineMs' | 'tenant' | 'priority'>,
  normalizes: boolean,
  signal: AbortSignal,
): Promise<Embedding> {
  const promptIds = cut(ids, engine.info.contextLength);
  try {
    for await (const event of engine.generate({ promptIds, maxTokens: 0, ...whose }, signal)) {
      if (event.type !== 'end' || event.embedding === undefined) continue;
      return { values: normalizes ? normalize(event.embedding) : event.embedding, tokens: promptIds.length };
    }
    throw new InwardError('internal', { part: 'an encoder (no embedding came)' });
  } finally {
    if (promptIds !== ids) promptIds.fill(0);
  }
}

/** The ids themselves where they are few enough. */
function cut(ids: Uint32Array, limit: number): Uint32Array {
  if (ids.length <= limit) return ids;
  const kept = ids.slice(0, limit);
  kept[limit - 1] = ids.at(-1) ?? 0;
  return kept;
}

/** In place; a vector of zeros stays as it is. */
function normalize(values: Float32Array): Float32Array {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  if (length > 0) for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) / length;
  return values;
}
