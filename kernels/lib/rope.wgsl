// Rotary position embedding (Su et al. 2021) of queries and keys on interleaved pairs (2i, 2i+1) of each head, two pairs a quad, and
// where queries, keys and values go. rotation[position][pair] = (cos, sin) comes from the CPU in double precision, because sin() of a
// large angle is not accurate on every device.
const POOL = EPILOGUE;
@group(0) @binding(EPILOGUE + 1u) var<storage, read> rotation: array<vec2f>;

#include PLACE_STORED
#include KV

const QUERY_QUADS = HEADS * HEAD_QUADS;
const KV_QUADS = KV_HEADS * HEAD_QUADS;
const PAIRS = ROTARY_LENGTH / 2u;

fn turn(pair: vec2f, cosSin: vec2f) -> vec2f {
  return pair * cosSin.x + vec2f(-pair.y, pair.x) * cosSin.y;
}

// A quad of a query or key, at a position whose turns begin there in `rotation`.
fn rotate(value: vec4f, quad: u32, turns: u32) -> vec4f {
  let pair = quad % HEAD_QUADS * 2u;
  var rotated = value;
  if (pair < PAIRS) {
    rotated = vec4f(turn(value.xy, rotation[turns + pair]), value.zw);
  }
  if (pair + 1u < PAIRS) {
    rotated = vec4f(rotated.xy, turn(value.zw, rotation[turns + pair + 1u]));
  }
  return rotated;
}

// Of a quad of the matrix's rows: rotated, unless it is of values.
fn turned(value: vec4f, quad: u32, turns: u32) -> vec4f {
  if (quad < QUERY_QUADS + KV_QUADS) {
    return rotate(value, quad, turns);
  }
  return value;
}

fn storeQuery(token: u32, quad: u32, value: vec4f) {
  storeY(token, QUERY_QUADS, quad, value * shape.scale);
}

// Two neighbouring quads of keys or values, the first an even one.
fn storeKv(slot: u32, quad: u32, first: vec4f, second: vec4f) {
  for (var i = 0u; i < 2u / VECTOR_QUADS; i++) {
    storePool(slot, (quad - QUERY_QUADS) / VECTOR_QUADS + i, packVector(first, second, i));
  }
}
