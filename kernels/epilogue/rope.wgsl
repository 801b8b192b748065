// Rows are queries, keys, values; QUADS is even, so that a lane has what a vector of the KV pool holds. Rotary position
// embedding (Su et al. 2021) of queries and keys on interleaved pairs (2i, 2i+1) of each head, two pairs a quad. Queries,
// times shape.scale, go to y; keys and values to their slot of the pool. rotation[position][pair] = (cos, sin) comes from
// the CPU in double precision, because sin() of a large angle is not accurate on every device.
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

fn finish(group: u32, lane: u32, token: u32, values: array<vec4f, QUADS>) {
  let slot = batch[BATCH_SLOTS + token];
  let turns = batch[BATCH_POSITIONS + token] * PAIRS;
  for (var q = 0u; q < QUADS; q += 2u) {
    let inMatrix = quadOf(group, q, lane);
    if (inMatrix < shape.quads) {
      let quad = inMatrix + shape.offset;
      var first = values[q];
      var second = values[q + 1u];
      if (quad < QUERY_QUADS + KV_QUADS) {
        first = rotate(first, quad, turns);
        second = rotate(second, quad + 1u, turns);
      }
      if (quad < QUERY_QUADS) {
        storeY(token, QUERY_QUADS, quad, first * shape.scale);
        storeY(token, QUERY_QUADS, quad + 1u, second * shape.scale);
      } else {
        for (var i = 0u; i < 2u / VECTOR_QUADS; i++) {
          storePool(slot, (quad - QUERY_QUADS) / VECTOR_QUADS + i, packVector(first, second, i));
        }
      }
    }
  }
}
