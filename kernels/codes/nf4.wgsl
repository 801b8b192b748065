// 4-bit codes that name one of the 16 numbers of NF4 (Dettmers et al. 2023; the f32 of bitsandbytes); laid out as in codes/four.wgsl.
#include "codes/parts/vector.wgsl"
#include "codes/parts/no_words.wgsl"
#include "codes/parts/unscaled.wgsl"

// A tree of selections, because an array that lanes index costs a load each.
fn blockCodes(block: WeightBlock, words: CodeWords, r: u32, quad: u32) -> vec4f {
  let codes = vec4u(block[quad & 3u]) >> (vec4u(0u, 8u, 16u, 24u) + quad / 4u * 4u);
  let first = (codes & vec4u(1u)) != vec4u();
  let second = (codes & vec4u(2u)) != vec4u();
  let third = (codes & vec4u(4u)) != vec4u();
  let a = select(vec4f(-1.0), vec4f(-0.6961928009986877), first);
  let b = select(vec4f(-0.5250730514526367), vec4f(-0.39491748809814453), first);
  let c = select(vec4f(-0.28444138169288635), vec4f(-0.18477343022823334), first);
  let d = select(vec4f(-0.09105003625154495), vec4f(0.0), first);
  let e = select(vec4f(0.07958029955625534), vec4f(0.16093020141124725), first);
  let f = select(vec4f(0.24611230194568634), vec4f(0.33791524171829224), first);
  let g = select(vec4f(0.44070982933044434), vec4f(0.5626170039176941), first);
  let h = select(vec4f(0.7229568362236023), vec4f(1.0), first);
  let low = select(select(a, b, second), select(c, d, second), third);
  let high = select(select(e, f, second), select(g, h, second), third);
  return select(low, high, (codes & vec4u(8u)) != vec4u());
}
