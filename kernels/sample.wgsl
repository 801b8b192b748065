// One logit row a workgroup -> the id of a token, its log-probability, and the likeliest ids; nothing else leaves the device.
// 1. Where the row asks for it: logarithm of the sum of exp over the raw logits, and the likeliest ids one after the other
//    (each the best that comes after the one before, equal logits by id).
// 2. The row's edits, in place: bias, repetition penalty, presence and frequency penalties (summed by the host).
// 3. The row's mask, in place: logits of ids whose bit is not set become the lowest, so that they are never chosen while
//    one bit is set. A row without a mask reads nothing of it.
// 4. temperature 0: the largest logit, the lowest id among equals. Else, in the order top-k, top-p, min-p: a threshold on
//    the logits is found by bisection over their bit patterns (exact, no sort), then a token is drawn with the Gumbel-max
//    trick in its exponential form: argmax of logit / temperature - log(E), E ~ Exp(1). The noise is a hash of (seed, index
//    of the token in its sequence, id): it depends on nothing else, so a sequence draws the same tokens alone and in a
//    batch. Equal logits at a threshold are all kept.
// A lane asks memory for LOADS logits at once.
// AHEAD: the logits are what is expected of the token behind the chosen one. It is drawn by the noise of its own place, by which the model will draw
// it, but without edits, mask and log-probabilities, which are not known yet; its id is the row's last word.
// A row with a NaN or +infinity among its raw logits, or with none above LOWEST, has no id: NOTHING stands in its place. Bit
// patterns are looked at, because a compiler may assume that no value is one of these.
const BATCH = 2u;
const NOTHING = 0xffffffffu;

struct Shape {
  vocabulary: u32,
  stride: u32,       // numbers in a row of logits
}
@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
// [row][RESULT_LENGTH]: id, log-probability, TOP_LIMIT ids, TOP_LIMIT log-probabilities, id behind it.
@group(0) @binding(1) var<storage, read_write> results: array<u32>;
// The logit that each edit found, so that the log-probability of an edited token is still the model's own.
@group(0) @binding(3) var<storage, read_write> originals: array<f32>;
// [row][words of 32 bits]: which ids may be chosen.
@group(0) @binding(4) var<storage, read> masks: array<u32>;
@group(0) @binding(5) var<uniform> shape: Shape;

#include "lib/batch.wgsl"
#include "lib/lanes.wgsl"
#include "lib/best.wgsl"
#include "lib/ordered.wgsl"

// PCG hash (Jarzynski and Olano 2020).
fn hash(value: u32) -> u32 {
  let state = value * 747796405u + 2891336453u;
  let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (word >> 22u) ^ word;
}

// -log(1 - v) for v in (0, 1); the series keeps small v exact.
fn exponential(bits: u32) -> f32 {
  let v = (f32(bits >> 8u) + 0.5) * 5.9604644775390625e-8;
  return select(-log(1.0 - v), v * (1.0 + v * (0.5 + v / 3.0)), v < 0.01);
}

// Largest key t for which the mass of {logits with key >= t and >= floor} is at least `wanted`;
// mass counts logits when `inverseTemperature` is 0, else adds up exp((logit - largest) / temperature).
fn threshold(first: u32, lane: u32, floor_: u32, wanted: f32, largest: f32, inverseTemperature: f32) -> u32 {
  var found = 0u;
  for (var shift = 30u; ; shift -= 3u) {
    var mass = array<f32, 7>(); // without a value Dawn zeroes it once, not every turn
    for (var i = lane; i < shape.vocabulary; i += LOADS * LANES) {
      var loaded: array<f32, LOADS>;
      #unroll
      for (var load = 0u; load < LOADS; load++) {
        loaded[load] = logits[first + min(i + load * LANES, shape.vocabulary - 1u)];
      }
      #unroll
      for (var load = 0u; load < LOADS; load++) {
        let key = orderedKey(loaded[load]);
        var weight = select(0.0, 1.0, key >= floor_ && i + load * LANES < shape.vocabulary);
        if (inverseTemperature > 0.0) {
          weight *= exp((loaded[load] - largest) * inverseTemperature);
        }
        #unroll
        for (var step = 0u; step < 7u; step++) {
          mass[step] += select(0.0, weight, key >= (found | ((step + 1u) << shift)));
        }
      }
    }
    let low = lanesSums(vec4f(mass[0], mass[1], mass[2], mass[3]));
    let high = lanesSums(vec4f(mass[4], mass[5], mass[6], 0.0));
    mass[0] = low.x;
    mass[1] = low.y;
    mass[2] = low.z;
    mass[3] = low.w;
    mass[4] = high.x;
    mass[5] = high.y;
    mass[6] = high.z;
    var digit = 0u;
    // The top digit has two bits, steps past 3 would overflow it.
    #unroll
    for (var step = 0u; step < 7u; step++) {
      let usable = shift < 30u || step < 3u;
      if (usable && mass[step] >= wanted) {
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

struct Largest {
  best: Best,
  isBroken: bool,    // the row holds a NaN or +infinity
}

fn findLargest(first: u32, lane: u32) -> Largest {
  var best = Best(LOWEST, NOTHING);
  // As signed numbers the largest patterns are +infinity and positive NaNs, as unsigned ones negative NaNs.
  var signed = 0i;
  var unsigned = 0u;
  for (var i = lane; i < shape.vocabulary; i += LOADS * LANES) {
    var loaded: array<f32, LOADS>;
    #unroll
    for (var load = 0u; load < LOADS; load++) {
      loaded[load] = logits[first + min(i + load * LANES, shape.vocabulary - 1u)];
    }
    // Past the end it is the last one again.
    #unroll
    for (var load = 0u; load < LOADS; load++) {
      signed = max(signed, bitcast<i32>(loaded[load]));
      unsigned = max(unsigned, bitcast<u32>(loaded[load]));
      best = better(best, Best(loaded[load], min(i + load * LANES, shape.vocabulary - 1u)));
    }
  }
  let isBroken = signed >= 0x7f800000i || unsigned > 0xff800000u;
  return Largest(lanesBest(best), lanesMax(select(0.0, 1.0, isBroken)) > 0.0);
}

// The best that comes after `before` in the order of logits, equal ones by id.
fn findNext(first: u32, lane: u32, before: Best) -> Best {
  var best = Best(LOWEST, NOTHING);
  for (var i = lane; i < shape.vocabulary; i += LANES) {
    let logit = logits[first + i];
    if (logit < before.value || (logit == before.value && i > before.id)) {
      best = better(best, Best(logit, i));
    }
  }
  return lanesBest(best);
}

// log(sum(exp(logits))).
fn logSum(first: u32, lane: u32, greatest: f32) -> f32 {
  var sum = 0.0;
  for (var i = lane; i < shape.vocabulary; i += LANES) {
    sum += exp(logits[first + i] - greatest);
  }
  return greatest + log(lanesSum(sum));
}

fn writeTops(row: u32, first: u32, lane: u32, best: Best, sum: f32, count: u32) {
  var top = best;
  for (var i = 0u; i < count; i++) {
    if (i > 0u) {
      top = findNext(first, lane, top);
    }
    if (lane == 0u) {
      results[row * RESULT_LENGTH + 2u + i] = top.id;
      results[row * RESULT_LENGTH + 2u + TOP_LIMIT + i] = bitcast<u32>(top.value - sum);
    }
  }
}

fn edit(first: u32, lane: u32, start: u32, end: u32) {
  for (var i = start + lane; i < end; i += LANES) {
    let at = BATCH_EDITS + 4u * i;
    let place = first + batch[at];
    let original = logits[place];
    let biased = original + bitcast<f32>(batch[at + 1u]);
    let repetition = bitcast<f32>(batch[at + 2u]);
    originals[i] = original;
    logits[place] = select(biased * repetition, biased / repetition, biased > 0.0) - bitcast<f32>(batch[at + 3u]);
  }
}

fn mask(row: u32, first: u32, lane: u32) {
  let start = row * ((shape.vocabulary + 31u) / 32u);
  for (var i = lane; i < shape.vocabulary; i += LANES) {
    if (((masks[start + i / 32u] >> (i % 32u)) & 1u) == 0u) {
      logits[first + i] = LOWEST;
    }
  }
}

// The model's own logit of `id`, whatever the edits did.
fn originalLogit(first: u32, lane: u32, start: u32, end: u32, id: u32) -> f32 {
  var found = LOWEST;
  for (var i = start + lane; i < end; i += LANES) {
    if (batch[BATCH_EDITS + 4u * i] == id) {
      found = originals[i];
    }
  }
  let original = lanesMax(found);
  return select(logits[first + id], original, original > LOWEST);
}

fn draw(row: u32, first: u32, lane: u32, best: Best, temperature: f32) -> Best {
  let inverse = 1.0 / temperature;
  let topK = batch[BATCH_TOP_KS + row];
  let topP = bitcast<f32>(batch[BATCH_TOP_PS + row]);
  let minP = bitcast<f32>(batch[BATCH_MIN_PS + row]);
  var lowest = 0u;
  if (topK > 0u && topK < shape.vocabulary) {
    lowest = threshold(first, lane, 0u, f32(topK), best.value, 0.0);
  }
  if (topP < 1.0) {
    var total = 0.0;
    for (var i = lane; i < shape.vocabulary; i += LANES) {
      let logit = logits[first + i];
      total += select(0.0, exp((logit - best.value) * inverse), orderedKey(logit) >= lowest);
    }
    // The largest logit is always kept: its key bounds the threshold from above when rounding loses mass.
    lowest = min(threshold(first, lane, lowest, topP * lanesSum(total), best.value, inverse), orderedKey(best.value));
  }
  if (minP > 0.0) {
    lowest = max(lowest, orderedKey(best.value + temperature * log(minP)));
  }
  let seed = hash(batch[BATCH_SEEDS + row] ^ hash(batch[BATCH_DRAWS + row] + select(0u, 1u, AHEAD)));
  var drawn = Best(LOWEST, best.id);
  for (var i = lane; i < shape.vocabulary; i += LANES) {
    let logit = logits[first + i];
    if (orderedKey(logit) >= lowest) {
      drawn = better(drawn, Best((logit - best.value) * inverse - log(exponential(hash(seed ^ hash(i)))), i));
    }
  }
  return lanesBest(drawn);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  let first = row * shape.stride;
  let tops = select(batch[BATCH_TOPS + row], 0u, AHEAD); // how many to name, plus one; 0: no log-probabilities
  let start = batch[BATCH_EDIT_STARTS + row];
  let end = select(batch[BATCH_EDIT_STARTS + row + 1u], start, AHEAD);
  let raw = findLargest(first, lane);
  var best = raw.best;
  var sum = 0.0;
  if (tops > 0u) {
    sum = logSum(first, lane, best.value);
    writeTops(row, first, lane, best, sum, tops - 1u);
  }
  let isMasked = !AHEAD && batch[BATCH_MASKED + row] != 0u;
  if (start < end) {
    edit(first, lane, start, end);
    storageBarrier();
  }
  if (isMasked) {
    mask(row, first, lane);
    storageBarrier();
  }
  if (start < end || isMasked) {
    best = findLargest(first, lane).best;
  }
  let temperature = bitcast<f32>(batch[BATCH_TEMPERATURES + row]);
  if (temperature > 0.0) {
    best = draw(row, first, lane, best, temperature);
  }
  if (tops > 0u) {
    let target_ = batch[BATCH_TARGETS + row];
    let id = select(target_, best.id, target_ == 0xffffffffu);
    let logit = originalLogit(first, lane, start, end, id);
    if (lane == 0u) {
      results[row * RESULT_LENGTH + 1u] = bitcast<u32>(logit - sum);
    }
  }
  if (lane == 0u) {
    results[row * RESULT_LENGTH + select(0u, RESULT_LENGTH - 1u, AHEAD)] = select(best.id, NOTHING, raw.isBroken);
  }
}
