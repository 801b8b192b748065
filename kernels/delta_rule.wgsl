// The gated delta rule, one value head after its own state S [key length][value length] of each sequence:
//   S = decay * S;  d = beta * (v - S^T k);  S = S + k d^T;  y = S^T q
// with q and k divided by their lengths, and q by the root of its count of channels. A workgroup takes four columns of S and walks over the
// sequence's tokens of this step; a lane has every LANES-th quad of rows in its registers, so the state is read and written once a step.
// Both products with S are added up before it changes: S_new^T q = decay * S^T q + (k . q) d.
// State of a block: [value head][quad of columns][row] vec4f of columns, and what delta_inputs.wgsl keeps.
// Source: Gated Delta Networks (Yang et al. 2024); torch_recurrent_gated_delta_rule of Hugging Face transformers.
const X = 0u;
const Y = 1u;
const BATCH = 2u;
const STATE = 3u;

#include "lib/batch.wgsl"
#include "lib/states.wgsl"
#include "lib/lanes.wgsl"
#include PLACE_X
#include PLACE_Y

// Of the squares, as in the reference.
const EPSILON = 1.0e-6;
const KEY_LENGTH = KEY_QUADS * 4u;
const KEYS = KEY_HEADS * KEY_QUADS;
// Quads of rows of a lane, and rows.
const OWN = (KEY_QUADS + LANES - 1u) / LANES;
const OWN_ROWS = OWN * 4u;

fn quadSum(value: vec4f) -> vec4f {
  var sum = value;
  for (var mask = LANES / 2u; mask > 0u; mask /= 2u) {
    sum += quadFromPartner(sum, mask);
  }
  return sum;
}

// Zero past the head.
fn keyQuad(token: u32, start: u32, quad: u32) -> vec4f {
  return select(vec4f(), xAt(token, INPUT_QUADS, start + min(quad, KEY_QUADS - 1u)), quad < KEY_QUADS);
}

fn headNumber(token: u32, start: u32, head: u32) -> f32 {
  return xAt(token, INPUT_QUADS, start + head / 4u)[head % 4u];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let sequence = group.x;
  let head = group.y / VALUE_QUADS;
  let keyHead = select(head / GROUP, head % KEY_HEADS, IS_TILED);
  let first = batch[BATCH_RUNS + sequence];
  let end = batch[BATCH_RUNS + sequence + 1u];
  let isNew = startsAnew(sequence);
  let place = statePlace(sequence) + group.y * KEY_LENGTH;
  var rows: array<vec4f, OWN_ROWS>;
  #unroll
  for (var row = 0u; row < OWN_ROWS; row++) {
    let quad = row / 4u * LANES + lane;
    rows[row] = select(state[place + min(quad, KEY_QUADS - 1u) * 4u + row % 4u], vec4f(), isNew || quad >= KEY_QUADS);
  }
  for (var token = first; token < end; token++) {
    var queries = array<vec4f, OWN>();
    var keys = array<vec4f, OWN>();
    var squares = vec4f();   // q . q, k . k, k . q
    var queried = vec4f();   // S^T q
    var found = vec4f();     // S^T k
    #unroll
    for (var i = 0u; i < OWN; i++) {
      queries[i] = keyQuad(token, keyHead * KEY_QUADS, i * LANES + lane);
      keys[i] = keyQuad(token, KEYS + keyHead * KEY_QUADS, i * LANES + lane);
      squares += vec4f(dot(queries[i], queries[i]), dot(keys[i], keys[i]), dot(keys[i], queries[i]), 0.0);
    }
    #unroll
    for (var row = 0u; row < OWN_ROWS; row++) {
      queried += rows[row] * queries[row / 4u][row % 4u];
      found += rows[row] * keys[row / 4u][row % 4u];
    }
    squares = quadSum(squares);
    let queryFactor = inverseSqrt(squares.x + EPSILON) * inverseSqrt(f32(KEY_LENGTH));
    let keyFactor = inverseSqrt(squares.y + EPSILON);
    let beta = headNumber(token, CHANNEL_QUADS, head);
    let decay = headNumber(token, CHANNEL_QUADS + VALUE_HEADS / 4u, head);
    let value = xAt(token, INPUT_QUADS, 2u * KEYS + group.y);
    let change = beta * (value - decay * keyFactor * quadSum(found));
    let result = queryFactor * (decay * quadSum(queried) + keyFactor * squares.z * change);
    #unroll
    for (var row = 0u; row < OWN_ROWS; row++) {
      rows[row] = decay * rows[row] + keyFactor * keys[row / 4u][row % 4u] * change;
    }
    if (lane == 0u) {
      storeY(token, VALUE_HEADS * VALUE_QUADS, group.y, result);
    }
  }
  #unroll
  for (var row = 0u; row < OWN_ROWS; row++) {
    let quad = row / 4u * LANES + lane;
    if (quad < KEY_QUADS) {
      state[place + quad * 4u + row % 4u] = rows[row];
    }
  }
}
