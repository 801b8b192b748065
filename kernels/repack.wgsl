// Rows of a file's blocks -> the packed layout of lib/weights.wgsl. One invocation takes one block of a quad of rows;
// rows past the end of the matrix, which fill its last quad, become zeros.
struct Shape {
  blocks: u32,      // of 32 columns, in a row
  rows: u32,        // that `raw` holds; its first one begins a quad
  firstQuad: u32,   // place of its first quad in the packed matrix
  quadStep: u32,    // from a quad to the next one there
  rowSize: u32,     // bytes of a row in the file
}
@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(2) var<uniform> shape: Shape;

#include PLACE_REPACKED

const QUAD_TILE = 8u;
const TILE_ROWS = BLOCK_VECTORS * 4u + select(0u, 1u, HAS_AFFINE);

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
  let row = index / shape.blocks * 4u;
  if (row >= shape.rows) {
    return;
  }
  let block = index % shape.blocks;
  let quad = shape.firstQuad + row / 4u * shape.quadStep;
  let x = block * QUAD_TILE + quad % QUAD_TILE;
  let y = quad / QUAD_TILE * TILE_ROWS;
  let width = shape.blocks * QUAD_TILE;
  var affine = vec4u();
  for (var r = 0u; r < 4u; r++) {
    let isRow = row + r < shape.rows;
    let at = (row + r) * shape.rowSize + block * FILE_BLOCK_SIZE;
    for (var v = 0u; v < BLOCK_VECTORS; v++) {
      storePacked(x, y + v * 4u + r, width, select(vec4u(), fileVector(at, v), isRow));
    }
    if (HAS_AFFINE) {
      affine[r] = select(0u, fileAffine(at), isRow);
    }
  }
  if (HAS_AFFINE) {
    storePacked(x, y + BLOCK_VECTORS * 4u, width, affine);
  }
}
