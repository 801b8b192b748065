// The TOP_K entries with the largest scores of each token, in the order of entries, equal ones by number; a token a workgroup. As in top_k.wgsl:
// the TOP_K-th largest is found by bisection over the bit patterns, three bits a turn. Tokens that see no more than TOP_K entries have them all.
const BATCH = 1u;

@group(0) @binding(0) var<storage, read> scores: array<f32>;          // [token][SCORES]
@group(0) @binding(2) var<storage, read_write> chosen: array<u32>;    // [token][TOP_K]

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include "lib/count_before.wgsl"
#include "lib/ordered.wgsl"
#include "lib/entries.wgsl"

// Largest key that TOP_K scores at least reach.
fn threshold(row: u32, seen: u32, lane: u32) -> u32 {
  var found = 0u;
  for (var shift = 30u; ; shift -= 3u) {
    var reach = array<u32, 7>();
    for (var entry = lane; entry < seen; entry += LANES) {
      let key = orderedKey(scores[row + entry]);
      #unroll
      for (var step = 0u; step < 7u; step++) {
        reach[step] += select(0u, 1u, key >= (found | ((step + 1u) << shift)));
      }
    }
    var digit = 0u;
    // The top digit has two bits, steps past 3 would overflow it.
    #unroll
    for (var step = 0u; step < 7u; step++) {
      let usable = shift < 30u || step < 3u;
      if (u32(lanesSum(f32(reach[step]))) >= TOP_K && usable) {
        digit = step + 1u;
      }
    }
    found |= digit << shift;
    if (shift == 0u) {
      break;
    }
  }
  return found;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = group.x;
  let seen = entriesSeen(token);
  if (seen <= TOP_K) {
    return;
  }
  let row = token * SCORES;
  let least = threshold(row, seen, lane);
  // A lane takes neighbouring entries, so that its own come after those of the lanes before it.
  let run = (seen + LANES - 1u) / LANES;
  let start = min(seen, lane * run);
  let end = min(seen, start + run);
  var above = 0u;
  var equal = 0u;
  for (var entry = start; entry < end; entry++) {
    let key = orderedKey(scores[row + entry]);
    above += select(0u, 1u, key > least);
    equal += select(0u, 1u, key == least);
  }
  var equalLeft = TOP_K - u32(lanesSum(f32(above)));
  let equalBefore = min(equalLeft, countBefore(equal, lane));
  equalLeft -= equalBefore;
  var place = token * TOP_K + countBefore(above, lane) + equalBefore;
  for (var entry = start; entry < end; entry++) {
    let key = orderedKey(scores[row + entry]);
    let isEqual = key == least && equalLeft > 0u;
    if (key > least || isEqual) {
      chosen[place] = entry;
      place++;
      equalLeft -= select(0u, 1u, isEqual);
    }
  }
}
