// What the gated delta rule (delta_rule.wgsl) goes by, from rows of projections. A workgroup takes LANES quads of channels of a sequence and
// walks over its tokens of this step:
//   queries, keys, values: silu(causal depthwise convolution over TAPS tokens, without bias); the last HISTORY rows are kept in the state
//   beta = sigmoid(b), decay = exp(a0 * softplus(a + bias)), for each value head; a0 = -exp(A_log)
// Source: Gated Delta Networks (Yang et al. 2024); torch_causal_conv1d_update and Qwen3NextGatedDeltaNet of Hugging Face transformers.
const X = 0u;
const Y = 1u;
const BATCH = 2u;
const STATE = 3u;

@group(0) @binding(4) var<storage, read> taps: array<f32>;                       // [channel][TAPS]
@group(0) @binding(5) var<uniform> rates: array<vec4f, VALUE_HEADS / 4u>;        // a0
@group(0) @binding(6) var<uniform> rateBiases: array<vec4f, VALUE_HEADS / 4u>;

#include "lib/batch.wgsl"
#include "lib/states.wgsl"
#include PLACE_X
#include PLACE_Y

const HISTORY = TAPS - 1u;
const QUERY_QUADS = KEY_HEADS * KEY_QUADS;
const HEAD_VALUES = VALUE_QUADS * GROUP;         // quads of the values of a key head

// Where quad `quad` of the queries, keys and values stands in a row of projections.
fn sourceQuad(quad: u32) -> u32 {
  if (quad < QUERY_QUADS) {
    return QUERY_START + quad / KEY_QUADS * QUERY_PITCH + quad % KEY_QUADS;
  }
  if (quad < 2u * QUERY_QUADS) {
    let own = quad - QUERY_QUADS;
    return KEY_START + own / KEY_QUADS * KEY_PITCH + own % KEY_QUADS;
  }
  let own = quad - 2u * QUERY_QUADS;
  return VALUE_START + own / HEAD_VALUES * VALUE_PITCH + own % HEAD_VALUES;
}

fn tapOf(quad: u32, tap: u32) -> vec4f {
  let first = quad * 4u * TAPS + tap;
  return vec4f(taps[first], taps[first + TAPS], taps[first + 2u * TAPS], taps[first + 3u * TAPS]);
}

fn convolve(sequence: u32, first: u32, end: u32, quad: u32) {
  let place = statePlace(sequence) + HISTORY_START + quad;
  let isNew = startsAnew(sequence);
  let source = sourceQuad(quad);
  var weights: array<vec4f, TAPS>;
  var window: array<vec4f, TAPS>;
  #unroll
  for (var tap = 0u; tap < TAPS; tap++) {
    weights[tap] = tapOf(quad, tap);
  }
  #unroll
  for (var tap = 0u; tap < HISTORY; tap++) {
    window[tap] = select(state[place + tap * CHANNEL_QUADS], vec4f(), isNew);
  }
  for (var token = first; token < end; token++) {
    window[HISTORY] = xAt(token, ROW_QUADS, source);
    var sum = vec4f();
    #unroll
    for (var tap = 0u; tap < TAPS; tap++) {
      sum += weights[tap] * window[tap];
    }
    storeY(token, INPUT_QUADS, quad, sum / (1.0 + exp(-max(sum, vec4f(-87.0)))));
    #unroll
    for (var tap = 0u; tap < HISTORY; tap++) {
      window[tap] = window[tap + 1u];
    }
  }
  #unroll
  for (var tap = 0u; tap < HISTORY; tap++) {
    state[place + tap * CHANNEL_QUADS] = window[tap];
  }
}

// One number a value head, those of a key head together.
fn headNumbers(token: u32, start: u32, pitch: u32, head: u32) -> vec4f {
  var found = vec4f();
  #unroll
  for (var i = 0u; i < 4u; i++) {
    let at = start + (head + i) / GROUP * pitch + (head + i) % GROUP;
    found[i] = xAt(token, ROW_QUADS, at / 4u)[at % 4u];
  }
  return found;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = batch[BATCH_RUNS + group.x];
  let end = batch[BATCH_RUNS + group.x + 1u];
  let quad = group.y * LANES + lane;
  if (quad < CHANNEL_QUADS) {
    convolve(group.x, first, end, quad);
  } else if (quad < CHANNEL_QUADS + VALUE_HEADS / 4u) {
    let heads = quad - CHANNEL_QUADS;
    for (var token = first; token < end; token++) {
      let beta = headNumbers(token, BETA_START, BETA_PITCH, heads * 4u);
      let rate = headNumbers(token, RATE_START, RATE_PITCH, heads * 4u) + rateBiases[heads];
      // softplus, for arguments of any size
      let grown = max(rate, vec4f()) + log(1.0 + exp(-abs(rate)));
      storeY(token, INPUT_QUADS, CHANNEL_QUADS + heads, 1.0 / (1.0 + exp(-max(beta, vec4f(-87.0)))));
      storeY(token, INPUT_QUADS, CHANNEL_QUADS + VALUE_HEADS / 4u + heads, exp(max(rates[heads] * grown, vec4f(-87.0))));
    }
  }
}
