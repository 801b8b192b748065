/**
 * Owns which tensors a checkpoint of random weights in the layout of DeepSeek-V4-Flash has: names, types and shapes of the release, with fewer layers and
 * words. Refuses to write.
 */
import { type DeepseekV4Shape, deepseekV4Scales, deepseekV4Shapes, listDeepseekV4 } from '../../runtime/sizing/deepseek-v4.ts';
import { listHeaders, type ReleasedHeader, type ReleasedTensor } from '../../runtime/sizing/released.ts';

/** The first layer of the release that has a router; experts of those before it follow from ids. */
const firstRouted = 3;
const lastLayer = 42;
/** Of the release: one with a router alone, or all behind the first, which has nothing that the second has not. */
const layersOf = (count: number): number[] => (count === 1 ? [firstRouted + 1] : Array.from({ length: count }, (_, i) => Math.min(1 + i, lastLayer)));

const flash = deepseekV4Shapes[0];

/** Sizes of a smaller one. */
type Sizes = Partial<Pick<DeepseekV4Shape, 'width' | 'heads' | 'queryRank' | 'groups' | 'experts' | 'expertWidth'>>;

/** Keys of config.json. */
const keys: Readonly<Record<keyof Sizes, string>> = {
  width: 'hidden_size',
  heads: 'num_attention_heads',
  queryRank: 'q_lora_rank',
  groups: 'o_groups',
  experts: 'n_routed_experts',
  expertWidth: 'moe_intermediate_size',
};

/** What config.json says. */
export function configDeepseekV4(
  release: Readonly<Record<string, unknown>>,
  layerCount: number,
  words: number,
  sizes: Sizes = {},
): Readonly<Record<string, unknown>> {
  const layers = layersOf(layerCount);
  return {
    ...release,
    num_hidden_layers: layerCount,
    num_hash_layers: layers.filter((layer) => layer < firstRouted).length,
    compress_ratios: [...layers.map((layer) => flash?.ratios[layer] ?? 0), 0],
    vocab_size: words,
    ...Object.fromEntries(Object.entries(sizes).map(([name, size]) => [keys[name as keyof Sizes], size])),
  };
}

export function listDeepseekV4Layers(layerCount: number, words: number, sizes: Sizes = {}): ReleasedHeader[] {
  if (flash === undefined) return [];
  const all = listDeepseekV4({ ...flash, ...sizes });
  const outer = all.filter(({ place }) => place === 'first' || place === 'last');
  const layers = layersOf(layerCount).flatMap((layer, at) => moveLayer(all, layer, at));
  return [
    ...listHeaders(
      [...outer, ...layers].map((tensor) => withWords(tensor, words)),
      deepseekV4Scales,
    ),
  ];
}

function moveLayer(all: readonly ReleasedTensor[], layer: number, at: number): ReleasedTensor[] {
  return all.filter(({ place }) => place === layer).map((tensor) => ({ ...tensor, place: at, name: tensor.name.replace(`layers.${layer}.`, `layers.${at}.`) }));
}

/** Tables that have a row a word. */
function withWords(tensor: ReleasedTensor, words: number): ReleasedTensor {
  return /^(?:embed|head)\.|tid2eid$/.test(tensor.name) ? { ...tensor, shape: [words, ...tensor.shape.slice(1)] } : tensor;
}
