// Rows of a file's blocks -> the row-interleaved layout of lib/weights.wgsl. One invocation a block;
// rows past the end of the matrix (padding of the last tile) become zeros.
struct Shape {
  blocks: u32,      // of 32 columns, in a row
  rows: u32,        // that `raw` holds
  firstRow: u32,    // place of the first of them in the packed matrix
  padded: u32,      // rows to write: `rows`, or more to fill the last tile
  rowSize: u32,     // bytes of a row in the file
}
@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(1) var<storage, read_write> packedCodes: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> packedAffine: array<u32>;
@group(0) @binding(3) var<uniform> shape: Shape;

const ROW_TILE = 8u;

// Little-endian word at any byte.
fn rawWord(at: u32) -> u32 {
  let shift = at % 4u * 8u;
  let low = raw[at / 4u];
  if (shift == 0u) {
    return low;
  }
  return (low >> shift) | (raw[at / 4u + 1u] << (32u - shift));
}

fn rawVector(at: u32) -> vec4u {
  return vec4u(rawWord(at), rawWord(at + 4u), rawWord(at + 8u), rawWord(at + 12u));
}

#include REPACK

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = (group.y * groups.x + group.x) * 64u + lane;
  if (index >= shape.padded * shape.blocks) {
    return;
  }
  let row = index / shape.blocks;
  let block = index % shape.blocks;
  let at = row * shape.rowSize + block * FILE_BLOCK_SIZE;
  let tile = ((shape.firstRow + row) / ROW_TILE * shape.blocks + block) * ROW_TILE;
  let inTile = (shape.firstRow + row) % ROW_TILE;
  for (var i = 0u; i < BLOCK_VECTORS; i++) {
    packedCodes[tile * BLOCK_VECTORS + i * ROW_TILE + inTile] = select(vec4u(), fileVector(at, i), row < shape.rows);
  }
  if (HAS_AFFINE) {
    packedAffine[tile + inTile] = select(0u, fileAffine(at), row < shape.rows);
  }
}
