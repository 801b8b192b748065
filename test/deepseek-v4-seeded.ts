/**
 * Owns the seeded DeepSeek-V4 with a block for multi-token prediction behind its layers, which its golden knows nothing of; and what makes such a block always
 * right. Refuses to know how a model is run.
 */
import { readSeeded, type SeededFamily, type SeededTensor } from './seeded.ts';

/** The block has tensors like those of the last layer, but for entries. */
export function seededWithPrediction(): SeededFamily {
  const seeded = readSeeded('deepseek_v4');
  const { num_hidden_layers: layers, hidden_size: width } = seeded.config as { readonly num_hidden_layers: number; readonly hidden_size: number };
  const last = `layers.${layers - 1}.`;
  const block = seeded.tensors.flatMap(([name, ...rest]) =>
    name.startsWith(last) && !/compressor|indexer/.test(name) ? [[name.replace(last, 'mtp.0.'), ...rest] as const] : [],
  );
  const head = seeded.tensors.flatMap(([name, ...rest]) => (name.startsWith('hc_head_') ? [[`mtp.0.${name}`, ...rest] as const] : []));
  const norms = ['enorm', 'hnorm', 'norm'].map((name) => [`mtp.0.${name}.weight`, [width], 'one', 0] as const);
  const matrices = ['e_proj', 'h_proj'].map((name) => [`mtp.0.${name}.weight`, [width, width], 'weight', 9] as const);
  return { ...seeded, tensors: [...seeded.tensors, ...block, ...head, ...norms, ...matrices] };
}

/**
 * A change of such a model by which what it says next follows from the last token alone, and its block says the same of the token behind: results of all blocks are
 * zero, and what enters the prediction is the normed embedding of the next token, whose norm is its own.
 */
export function makeRight(name: string, tensor: SeededTensor): SeededTensor {
  const fill = (value: (i: number) => number): SeededTensor => ({ ...tensor, values: Float32Array.from(tensor.values, (_, i) => value(i)) });
  const columns = tensor.shape.at(-1) ?? 1;
  if (/\.(?:wo_b|w2|h_proj)\.weight$/.test(name)) return fill(() => 0);
  if (name === 'mtp.0.e_proj.weight') return fill((i) => Number(i % columns === Math.floor(i / columns)));
  return /^(?:mtp\.0\.(?:enorm|norm)|norm)\.weight$/.test(name) ? fill(() => 1) : tensor;
}
