// The first slots of the TOP_K entries with the largest scores of each token, in the order of entries, of equal ones the first; of all, where a
// token sees no more. A token a workgroup:
// 1. the lowest score that is chosen is found digit by digit of the bits of f32 (exact, no sort), each by counting how many have which;
// 2. an invocation takes neighbouring entries, so that its own come after those of the ones before it.
const BATCH = 1u;

struct Shape {
  firstToken: u32,
  digits: u32,       // 256: a number of the uniform, because lavapipe writes loops of known length out
}
@group(0) @binding(0) var<storage, read> scores: array<f32>;          // [token - first token][SCORE_STRIDE]
@group(0) @binding(2) var<storage, read_write> chosen: array<u32>;    // [token][TOP_K]
@group(0) @binding(3) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/ordered.wgsl"
#include "lib/entries.wgsl"

const INVOCATIONS = LANES * SUBGROUPS;

var<workgroup> digitCounts: array<atomic<u32>, 256>;
var<workgroup> ownCounts: array<vec2u, INVOCATIONS>;   // of an invocation's entries: above the lowest score, equal to it

// The key of the lowest score that is chosen, and how many of that score are.
struct Lowest {
  key: u32,
  count: u32,
}

fn keyAt(row: u32, entry: u32) -> u32 {
  return orderedKey(scores[row * SCORE_STRIDE + entry]);
}

// The largest digit that `wanted` numbers reach, and how many of them have it themselves.
fn digitOf(wanted: u32) -> Lowest {
  var left = wanted;
  var digit = shape.digits - 1u;
  for (; digit > 0u; digit--) {
    let count = atomicLoad(&digitCounts[digit]);
    if (count >= left) {
      break;
    }
    left -= count;
  }
  return Lowest(digit, left);
}

fn lowestOf(row: u32, visible: u32, lane: u32) -> Lowest {
  var lowest = Lowest(0u, TOP_K);
  for (var shift = 24u; ; shift -= 8u) {
    workgroupBarrier(); // what lies there has been read
    for (var digit = lane; digit < shape.digits; digit += INVOCATIONS) {
      atomicStore(&digitCounts[digit], 0u);
    }
    workgroupBarrier();
    for (var entry = lane; entry < visible; entry += INVOCATIONS) {
      let key = keyAt(row, entry);
      // Digits above agree; a shift by 32 would be one by 0.
      if (shift == 24u || (key ^ lowest.key) >> (shift + 8u) == 0u) {
        atomicAdd(&digitCounts[(key >> shift) & 255u], 1u);
      }
    }
    workgroupBarrier();
    let found = digitOf(lowest.count);
    lowest = Lowest(lowest.key | (found.key << shift), found.count);
    if (shift == 0u) {
      break;
    }
  }
  return lowest;
}

@compute @workgroup_size(LANES * SUBGROUPS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  let token = shape.firstToken + row;
  let visible = visibleEntries(token);
  let table = tableOf(token);
  if (visible <= TOP_K) {
    for (var entry = lane; entry < visible; entry += INVOCATIONS) {
      chosen[token * TOP_K + entry] = entrySlot(table, entry);
    }
    return;
  }
  let lowest = lowestOf(row, visible, lane);
  let run = (visible + INVOCATIONS - 1u) / INVOCATIONS;
  let start = min(visible, lane * run);
  let end = min(visible, start + run);
  var own = vec2u();
  for (var entry = start; entry < end; entry++) {
    let key = keyAt(row, entry);
    own += vec2u(select(0u, 1u, key > lowest.key), select(0u, 1u, key == lowest.key));
  }
  ownCounts[lane] = own;
  workgroupBarrier();
  var before = vec2u();
  for (var other = 0u; other < lane; other++) {
    before += ownCounts[other];
  }
  let equalBefore = min(before.y, lowest.count);
  var equalLeft = lowest.count - equalBefore;
  var place = token * TOP_K + before.x + equalBefore;
  for (var entry = start; entry < end; entry++) {
    let key = keyAt(row, entry);
    let isEqual = key == lowest.key && equalLeft > 0u;
    if (key > lowest.key || isEqual) {
      chosen[place] = entrySlot(table, entry);
      place++;
      equalLeft -= select(0u, 1u, isEqual);
    }
  }
}
