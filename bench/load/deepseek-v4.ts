/**
 * Owns which tensors a checkpoint of random weights in the layout of DeepSeek-V4-Flash has: names, types and shapes of the release, with fewer layers and
 * words. Refuses to write.
 */
import { deepseekV4Scales, deepseekV4Shapes, listDeepseekV4 } from '../../runtime/sizing/deepseek-v4.ts';
import { listHeaders, type ReleasedHeader, type ReleasedTensor } from '../../runtime/sizing/released.ts';

/** Layers of the release that stand for all: one whose experts follow from ids, then those that have a router, with entries of 128 and of 4 tokens in turns. */
const tableLayer = 2;
const firstRouted = 3;
/** One layer alone has a router. */
const layersOf = (count: number): number[] =>
  count === 1 ? [firstRouted + 1] : Array.from({ length: count }, (_, i) => (i === 0 ? tableLayer : firstRouted + ((i - 1) % 40)));

const shape = deepseekV4Shapes[0];

/** What config.json says. `experts`: of a layer, if not those of the release. */
export function configDeepseekV4(
  release: Readonly<Record<string, unknown>>,
  layerCount: number,
  words: number,
  experts?: number,
): Readonly<Record<string, unknown>> {
  const layers = layersOf(layerCount);
  return {
    ...release,
    num_hidden_layers: layerCount,
    num_hash_layers: layers.filter((layer) => layer < firstRouted).length,
    compress_ratios: [...layers.map((layer) => shape?.ratios[layer] ?? 0), 0],
    vocab_size: words,
    ...(experts !== undefined && { n_routed_experts: experts }),
  };
}

export function listDeepseekV4Layers(layerCount: number, words: number, experts?: number): ReleasedHeader[] {
  if (shape === undefined) return [];
  const layers = layersOf(layerCount);
  const all = listDeepseekV4({ ...shape, experts: experts ?? shape.experts });
  const tensors = [...all.filter(({ place }) => place === 'first' || place === 'last'), ...layers.flatMap((layer, at) => moveLayer(all, layer, at))];
  return [
    ...listHeaders(
      tensors.map((tensor) => withWords(tensor, words)),
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
