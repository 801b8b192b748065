// The K largest numbers of each row, in order, equal ones by id, a row a workgroup:
// 1. the K-th largest is found by bisection over the bit patterns of f32 (exact, no sort), three bits a turn;
// 2. the ids above it, and the first of those equal to it, are gathered in the order of ids;
// 3. each takes the place that says how many of the gathered ones come before it.
// Rows shorter than K: what is missing has id 0xffffffff.
const X = 0u;

struct Shape {
  quads: u32,    // of a row
  length: u32,   // numbers that count
}
// [row][K] ids, then [row][K] values as bits.
@group(0) @binding(1) var<storage, read_write> results: array<u32>;
// [row][K] ids
@group(0) @binding(2) var<storage, read_write> gathered: array<u32>;
@group(0) @binding(3) var<uniform> shape: Shape;

#include "lib/lanes.wgsl"
#include "lib/count_before.wgsl"
#include "lib/ordered.wgsl"
#include PLACE_X

fn valueAt(row: u32, id: u32) -> f32 {
  return xAt(row, shape.quads, id / 4u)[id % 4u];
}

// Largest key that at least `wanted` numbers reach.
fn threshold(row: u32, lane: u32, wanted: u32) -> u32 {
  var found = 0u;
  for (var shift = 30u; ; shift -= 3u) {
    var reach = array<u32, 7>();
    for (var id = lane; id < shape.length; id += LANES) {
      let key = orderedKey(valueAt(row, id));
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
      if (usable && u32(lanesSum(f32(reach[step]))) >= wanted) {
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
  let row = group.x;
  let base = row * K;
  let wanted = min(K, shape.length);
  let least = threshold(row, lane, wanted);
  // A lane takes neighbouring ids, so that its own come after those of the lanes before it.
  let run = (shape.length + LANES - 1u) / LANES;
  let start = min(shape.length, lane * run);
  let end = min(shape.length, start + run);
  var above = 0u;
  var equal = 0u;
  for (var id = start; id < end; id++) {
    let key = orderedKey(valueAt(row, id));
    above += select(0u, 1u, key > least);
    equal += select(0u, 1u, key == least);
  }
  var equalLeft = wanted - u32(lanesSum(f32(above)));
  let equalBefore = min(equalLeft, countBefore(equal, lane));
  equalLeft -= equalBefore;
  var place = base + countBefore(above, lane) + equalBefore;
  for (var id = start; id < end; id++) {
    let key = orderedKey(valueAt(row, id));
    let isEqual = key == least && equalLeft > 0u;
    if (key > least || isEqual) {
      gathered[place] = id;
      place++;
      equalLeft -= select(0u, 1u, isEqual);
    }
  }
  storageBarrier();
  for (var i = lane; i < K; i += LANES) {
    if (i < wanted) {
      let id = gathered[base + i];
      let value = valueAt(row, id);
      let key = orderedKey(value);
      var rank = 0u;
      for (var other = 0u; other < wanted; other++) {
        let otherKey = orderedKey(valueAt(row, gathered[base + other]));
        rank += select(0u, 1u, otherKey > key || (otherKey == key && other < i));
      }
      results[base + rank] = id;
      results[ROWS * K + base + rank] = bitcast<u32>(value);
    } else {
      results[base + i] = 0xffffffffu;
      results[ROWS * K + base + i] = 0u;
    }
  }
}
