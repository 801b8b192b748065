// Rows are queries, keys, values. Rotary position embedding (Su et al. 2021) of queries and keys on interleaved
// pairs (2i, 2i+1) of each head, two pairs a quad. Queries, times shape.scale, go to y; keys and values to their slot of
// the KV pool. rotation[position][pair] = (cos, sin) comes from the CPU in double precision, because sin() of a large
// angle is not accurate on every device.
@group(0) @binding(EPILOGUE) var<storage, read_write> pool: array<KvQuad>;   // [slot][keys, values][KV head][quad]
@group(0) @binding(EPILOGUE + 1u) var<storage, read> rotation: array<vec2f>;

#include KV

const QUERY_QUADS = HEADS * HEAD_QUADS;
const KV_QUADS = KV_HEADS * HEAD_QUADS;
const PAIRS = ROTARY_LENGTH / 2u;

fn turn(pair: vec2f, cosSin: vec2f) -> vec2f {
  return pair * cosSin.x + vec2f(-pair.y, pair.x) * cosSin.y;
}

fn finish(group: u32, lane: u32, token: u32, values: array<vec4f, QUADS>) {
  let slot = batch[BATCH_SLOTS + token] * (2u * KV_QUADS);
  let turns = batch[BATCH_POSITIONS + token] * PAIRS;
  for (var q = 0u; q < QUADS; q++) {
    let inMatrix = quadOf(group, q, lane);
    if (inMatrix < shape.quads) {
      let quad = inMatrix + shape.offset;
      let pair = quad % HEAD_QUADS * 2u;
      var value = values[q];
      if (quad < QUERY_QUADS + KV_QUADS) {
        if (pair < PAIRS) {
          value = vec4f(turn(value.xy, rotation[turns + pair]), value.zw);
        }
        if (pair + 1u < PAIRS) {
          value = vec4f(value.xy, turn(value.zw, rotation[turns + pair + 1u]));
        }
      }
      if (quad < QUERY_QUADS) {
        storeY(token, QUERY_QUADS, quad, value * shape.scale);
      } else {
        pool[slot + quad - QUERY_QUADS] = packQuad(value);
      }
    }
  }
}
