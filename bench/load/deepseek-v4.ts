/**
 * Owns which tensors a checkpoint of random weights in the layout of DeepSeek-V4-Flash has: names, types and shapes of the release, with fewer layers and
 * words. Refuses to write.
 */
import type { ReleasedHeader } from '../../runtime/sizing/released.ts';
import { createDirectory, type DirectoryConfig } from '../../test/deepseek-v4-directory.ts';

/** The first layer of the release that has a router; experts of those before it follow from ids. */
const firstRouted = 3;
const lastLayer = 42;
/** Of the release: one with a router alone, or all behind the first, which has nothing that the second has not. */
const layersOf = (count: number): number[] => (count === 1 ? [firstRouted + 1] : Array.from({ length: count }, (_, i) => Math.min(1 + i, lastLayer)));

/** What config.json says. `sizes`: of a smaller one, by their keys. */
export function configDeepseekV4(release: DirectoryConfig, layerCount: number, words: number, sizes: Readonly<Record<string, number>> = {}): DirectoryConfig {
  const layers = layersOf(layerCount);
  return {
    ...release,
    num_hidden_layers: layerCount,
    num_hash_layers: layers.filter((layer) => layer < firstRouted).length,
    compress_ratios: [...layers.map((layer) => release.compress_ratios[layer] ?? 0), 0],
    vocab_size: words,
    ...sizes,
  };
}

/** All but those of the block for multi-token prediction. */
export function listDeepseekV4Headers(config: DirectoryConfig): ReleasedHeader[] {
  return [...createDirectory(config).values()].filter(({ name }) => !name.startsWith('mtp.'));
}
