// Rows are queries, keys, values. Rotary position embedding (Su et al. 2021) of queries and keys on interleaved
// pairs (2i, 2i+1) of each head: the partner of a row is the neighbouring lane. Queries, times shape.scale, go to y;
// keys and values to their slot of the KV pool. rotation[position][pair] = (cos, sin) comes from the CPU in double
// precision, because sin() of a large angle is not accurate on every device.
@group(0) @binding(EPILOGUE) var<storage, read_write> pool: array<KvWord>;   // [slot][keys, values]
@group(0) @binding(EPILOGUE + 1u) var<storage, read> rotation: array<vec2f>;

#include KV
#include "lib/rows.wgsl"

const QUERY_ROWS = HEADS * HEAD_LENGTH;
const KV_ROWS = KV_HEADS * HEAD_LENGTH;

fn finish(group: u32, lane: u32, token: u32, results: array<f32, ROWS>) {
  let slot = batch[BATCH_SLOTS + token] * (2u * KV_ROWS);
  let turns = batch[BATCH_POSITIONS + token] * (ROTARY_LENGTH / 2u);
  for (var r = 0u; r < ROWS; r++) {
    let row = rowOf(group, r, lane) + shape.offset;
    let place = row % HEAD_LENGTH;
    var value = results[r];
    let partner = subgroupShuffleXor(value, 1u);
    if (row < QUERY_ROWS + KV_ROWS && place < ROTARY_LENGTH) {
      let turn = rotation[turns + place / 2u];
      value = value * turn.x + select(partner, -partner, place % 2u == 0u) * turn.y;
    }
    let word = kvWord(value, subgroupShuffleXor(value, 1u));
    // No early way out of the loop: the shuffles of the next turn need all lanes.
    let isInside = rowOf(group, r, lane) < shape.rows;
    if (isInside && row < QUERY_ROWS) {
      y[token * QUERY_ROWS + row] = value * shape.scale;
    } else if (isInside && row % KV_VALUES == 0u) {
      pool[(slot + row - QUERY_ROWS) / KV_VALUES] = word;
    }
  }
}
