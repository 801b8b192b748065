// The experts of each token and their weights, a token a workgroup, from the logits of all experts:
//   key = score + selection bias (for the choice alone: DeepSeek-V3's noaux routing), or the logit itself where that is the same order
//   groups: only experts of the GROUP_CHOICES best groups, a group's key being the sum of its GROUP_TOP largest
//   the TOP_K largest keys, in order, the lower id among equals
//   weight = score / (sum over all, or over the chosen: RENORMALIZES) * scale * the expert's own factor
// A token's choice c is number token * TOP_K + c. routes: ids of all choices, then weights at ROUTE_WEIGHTS.
const X = 0u;

// The same numbers as the constants: a driver that knows how often a loop runs writes it out, and compiles for seconds.
struct Shape {
  own: u32,       // OWN
  topK: u32,
  groups: u32,
  scale: f32,
}
@group(0) @binding(1) var<storage, read_write> routes: array<u32>;
// For four experts each.
@group(0) @binding(2) var<uniform> biases: array<vec4f, EXPERT_QUADS>;
@group(0) @binding(3) var<uniform> factors: array<vec4f, EXPERT_QUADS>;
@group(0) @binding(4) var<uniform> shape: Shape;

#include "lib/lanes.wgsl"
#include "lib/best.wgsl"
#include PLACE_X
#include SCORE

// Experts of a lane: expert i of it is i * LANES + lane.
const OWN = (EXPERTS + LANES - 1u) / LANES;

// Largest and second largest.
fn pairOf(a: vec2f, b: vec2f) -> vec2f {
  return vec2f(max(a.x, b.x), max(min(a.x, b.x), max(a.y, b.y)));
}

// Bits of the groups that may be chosen from.
fn chooseGroups(keys: array<f32, OWN>, lane: u32) -> u32 {
  var groupKeys: array<f32, GROUPS>;
  for (var group = 0u; group < shape.groups; group++) {
    var pair = vec2f(LOWEST);
    for (var i = 0u; i < shape.own; i++) {
      let expert = i * LANES + lane;
      if (expert < EXPERTS && expert / (EXPERTS / GROUPS) == group) {
        pair = pairOf(pair, vec2f(keys[i], LOWEST));
      }
    }
    for (var mask = LANES / 2u; mask > 0u; mask /= 2u) {
      pair = pairOf(pair, vec2f(fromPartner(pair.x, mask), fromPartner(pair.y, mask)));
    }
    groupKeys[group] = select(pair.x, pair.x + pair.y, GROUP_TOP == 2u);
  }
  var chosen = 0u;
  for (var choice = 0u; choice < GROUP_CHOICES; choice++) {
    var best = Best(LOWEST, 0u);
    for (var group = 0u; group < shape.groups; group++) {
      if (((chosen >> group) & 1u) == 0u) {
        best = better(best, Best(groupKeys[group], group));
      }
    }
    chosen |= 1u << best.id;
  }
  return chosen;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let token = workgroup.x;
  var logits: array<f32, OWN>;
  var greatest = LOWEST;
  for (var i = 0u; i < shape.own; i++) {
    let expert = i * LANES + lane;
    logits[i] = select(LOWEST, xAt(token, EXPERT_QUADS, min(expert, EXPERTS - 1u) / 4u)[expert % 4u], expert < EXPERTS);
    greatest = max(greatest, logits[i]);
  }
  greatest = lanesMax(greatest);
  var sum = 0.0;
  for (var i = 0u; i < shape.own; i++) {
    sum += select(0.0, score(logits[i], greatest), i * LANES + lane < EXPERTS);
  }
  // What scores are divided by before they are weights.
  var divisor = select(1.0, lanesSum(sum), IS_SOFTMAX);
  var keys: array<f32, OWN>;
  for (var i = 0u; i < shape.own; i++) {
    let expert = min(i * LANES + lane, EXPERTS - 1u);
    keys[i] = select(score(logits[i], greatest) / divisor + biases[expert / 4u][expert % 4u], logits[i], BY_LOGIT);
  }
  if (GROUPS > 1u) {
    let chosen = chooseGroups(keys, lane);
    for (var i = 0u; i < shape.own; i++) {
      let expert = min(i * LANES + lane, EXPERTS - 1u);
      keys[i] = select(LOWEST, keys[i], ((chosen >> (expert / (EXPERTS / GROUPS))) & 1u) == 1u);
    }
  }
  var ids: array<u32, TOP_K>;
  var scores: array<f32, TOP_K>;
  var chosenSum = 0.0;
  var before = Best(3.0e38, 0u);
  for (var choice = 0u; choice < shape.topK; choice++) {
    // The best that comes after the one before.
    var best = Best(LOWEST, EXPERTS - 1u);
    for (var i = 0u; i < shape.own; i++) {
      let expert = i * LANES + lane;
      let isLater = choice == 0u || keys[i] < before.value || (keys[i] == before.value && expert > before.id);
      if (expert < EXPERTS && isLater) {
        best = better(best, Best(keys[i], expert));
      }
    }
    before = lanesBest(best);
    ids[choice] = before.id;
    scores[choice] = score(xAt(token, EXPERT_QUADS, before.id / 4u)[before.id % 4u], greatest);
    chosenSum += scores[choice];
  }
  if (RENORMALIZES) {
    // Added as in the models' own code: nothing is divided by zero.
    divisor = chosenSum + 1.0e-20;
  }
  let factor = shape.scale / divisor;
  for (var choice = lane; choice < TOP_K; choice += LANES) {
    let id = ids[choice];
    routes[token * TOP_K + choice] = id;
    routes[ROUTE_WEIGHTS + token * TOP_K + choice] = bitcast<u32>(scores[choice] * factor * factors[id / 4u][id % 4u]);
  }
}
