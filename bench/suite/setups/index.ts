/** Owns which set-up makes a case ready. */
import type { Case, Kind, Sizes } from '../cases.ts';
import type { Prepared, Workbench } from '../workbench.ts';
import { setUpAttention } from './attention.ts';
import { setUpDelta } from './delta.ts';
import { setUpCompressed, setUpIndexChoice, setUpIndexScores } from './indexed.ts';
import { setUpHeadMatmul, setUpLatentQueries } from './latent.ts';
import { setUpExpertTable, setUpGated, setUpSample, setUpStreams } from './rows.ts';
import { setUpEmbed, setUpGateAndUp, setUpMatmul, setUpRepack } from './weights.ts';

type SetUp<K extends Kind> = (bench: Workbench, sizes: Sizes[K]) => Prepared | Promise<Prepared>;

const setUps: { readonly [K in Kind]: SetUp<K> } = {
  matmul: setUpMatmul,
  'gate and up': setUpGateAndUp,
  embed: setUpEmbed,
  repack: setUpRepack,
  attention: setUpAttention,
  'latent queries': setUpLatentQueries,
  'head matmul': setUpHeadMatmul,
  'index scores': setUpIndexScores,
  'index choice': setUpIndexChoice,
  'compressed attention': setUpCompressed,
  streams: setUpStreams,
  'expert table': setUpExpertTable,
  'delta rule': setUpDelta,
  gated: setUpGated,
  sample: setUpSample,
};

export async function setUp(bench: Workbench, one: Case): Promise<Prepared> {
  // The compiler does not see that a case and the set-up of its kind belong together.
  return (setUps[one.kind] as (bench: Workbench, sizes: Case) => Prepared | Promise<Prepared>)(bench, one);
}
