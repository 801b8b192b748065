/**
 * Owns attention over the last tokens and compressed entries (DeepSeek-V4) as a step of a forward pass: what is stored, what is chosen, what comes
 * of it, and what a sequence keeps. A key is a value too. Refuses the projections around it.
 */
import type { AttentionShape } from '../kernels/attention.ts';
import {
  attentionCompressed,
  type CompressedCache,
  type CompressedShape,
  compress,
  type EntryPart,
  entryIndex,
  entryPoolShape,
  keepRows,
  recallRows,
} from '../kernels/compressed.ts';
import { clearStates } from '../kernels/delta.ts';
import type { Slice, Vectors } from '../kernels/kernel.ts';
import { turned } from '../kernels/turned.ts';
import type { Graph, GraphSettings, Pool } from './graph.ts';

export interface CompressedHeads {
  readonly cache: CompressedCache;
  readonly heads: number;
  readonly rotaryLength: number;
  readonly indexHeads: number;
  /** Entries that a token sees at most, where there is an indexer. */
  readonly topK: number;
  readonly epsilon: number;
}

/** What an entry is made with: [place in the window][channel] f32 that is added to gates, and the weights of its norm. */
export interface EntryWeights {
  readonly biases: Slice;
  readonly norm: Slice;
}

export interface CompressedInputs {
  /** [token][head][head length], not normed. */
  readonly queries: Vectors;
  /** [token][head length], not normed; and what is multiplied with the norm. */
  readonly rows: Vectors;
  readonly rowNorm: Slice;
  readonly sinks: Slice;
  readonly rotation: Slice;
  /** undefined: no entries. Rows: [token][rawLength]. */
  readonly entries?: { readonly rows: Vectors; readonly entry: EntryWeights } | undefined;
  /** undefined: every entry is seen. Queries: [token][index head][index length]; weights, scaled: [token][index head]. */
  readonly index?: { readonly key: EntryWeights; readonly queries: Vectors; readonly weights: Vectors } | undefined;
}

const everyEntry = 0xffffffff;

function shapeOf({ cache, ...heads }: CompressedHeads, pool: Pool | undefined, { kv, blockLength, lanes, layout }: GraphSettings): CompressedShape {
  if (kv === 'q8') throw new Error('compressed entries in q8');
  const own = { ...cache, ...heads, topK: cache.indexLength === 0 ? everyEntry : heads.topK };
  return { ...own, kv, blockLength, poolFold: pool?.fold ?? 1, lanes, layout };
}

/** [token][head][head length], turned back. */
export function compressedAttention(g: Graph, layer: number, inputs: CompressedInputs, heads: CompressedHeads): Vectors {
  const { settings, operations } = g;
  const { batch, lanes, layout, maxTokens, maxCopies: maxSequences } = settings;
  const [pool, state] = [settings.pools[layer], settings.states?.[layer]];
  if (state === undefined) throw new Error(`no rows of the last tokens for layer ${layer}`);
  const shape = shapeOf(heads, pool, settings);
  const { headLength, rotaryLength, window } = shape;
  const { rotation, rowNorm, sinks } = inputs;
  const form = { headLength, rotaryLength, behind: 0, lanes, layout };
  const queries = g.scratchRows('queries', shape.heads * headLength);
  // A buffer: rows of as many sequences as there may be would be too high for a texture.
  const rows = g.scratchBuffer('rows of the window', (maxTokens + maxSequences * window) * headLength * 4);
  g.blockOperations.push(clearStates(state.length, state.blocks, batch, { lanes, layout }));
  operations.push(
    turned({ ...form, heads: shape.heads }, { x: inputs.queries, y: queries, norm: { kind: 'rms', epsilon: heads.epsilon }, rotation, batch }),
    turned({ ...form, heads: 1, behind: window }, { x: inputs.rows, y: rows, norm: { kind: 'rms', weight: rowNorm, epsilon: heads.epsilon }, rotation, batch }),
    recallRows(shape, rows, state.blocks, batch),
  );
  const chosen = pool === undefined ? undefined : storeEntries(g, shape, { ...inputs, pool, state: state.blocks, epsilon: heads.epsilon });
  const attended = g.scratchRows('attended', shape.heads * headLength);
  const y = g.scratchRows('attended, turned back', shape.heads * headLength);
  operations.push(
    attentionCompressed(shape, { queries, y: attended, rows, pool: pool?.vectors, chosen, sinks, batch }),
    turned({ ...form, heads: shape.heads }, { x: attended, y, rotation, isBack: true, batch }),
    keepRows(shape, 'window', rows, state.blocks, batch),
    ...(inputs.entries === undefined ? [] : [keepRows(shape, 'raw', inputs.entries.rows, state.blocks, batch)]),
  );
  return y;
}

/** Stores what the step's tokens complete; first slots of the entries that each token is to see, where those are not all. */
function storeEntries(
  g: Graph,
  shape: CompressedShape,
  { pool, state, epsilon, rotation, entries, index }: CompressedInputs & { readonly pool: Pool; readonly state: Slice; readonly epsilon: number },
): Slice | undefined {
  const { batch, lanes, layout, contextLength } = g.settings;
  if (entries === undefined) throw new Error('nothing to make entries of');
  const { rows } = entries;
  g.keepBlocks(poolAsHeads(shape), pool.vectors);
  const store = (part: EntryPart, { biases, norm }: EntryWeights): void => {
    g.operations.push(compress(shape, part, { rows, pool: pool.vectors, state, biases, norm: { weight: norm, epsilon }, rotation, batch }));
  };
  store('entry', entries.entry);
  const most = Math.ceil(contextLength / shape.ratio);
  if (index === undefined) return undefined;
  store('index', index.key);
  if (most <= shape.topK) return undefined;
  const { indexHeads: heads, indexLength: headLength, rotaryLength } = shape;
  const queries = g.scratchRows('index queries turned', heads * headLength);
  g.operations.push(turned({ heads, headLength, rotaryLength, behind: 0, lanes, layout }, { x: index.queries, y: queries, rotation, batch }));
  return g.chooseEntries(entryIndex(shape), most, { queries, weights: { rows: index.weights, start: 0, width: heads }, pool: pool.vectors });
}

/** The pool as kernels that clear and copy blocks know it. */
function poolAsHeads(shape: CompressedShape): AttentionShape {
  const { kv, blockLength, poolFold, lanes, layout, rotaryLength } = shape;
  return { ...entryPoolShape(shape, kv), heads: 1, rotaryLength, blockLength, poolFold, lanes, layout };
}
