// Tiles in workgroup memory that units multiply (lib/subgroup_matrix_*.wgsl): rows of 32 Elements, STRIDE apart, so that they lie in
// other banks. What passes the range of f16 is clamped to it.
#include ELEMENT
#include MATRIX

var<workgroup> leftTile: array<Element, LEFT_ROWS * STRIDE>;
var<workgroup> rightTile: array<Element, RIGHT_ROWS * STRIDE>;
var<workgroup> resultTile: array<f32, LEFT_ROWS * RESULT_STRIDE>;

fn putLeft(at: u32, value: vec4f) {
  leftTile[at] = Element(value.x);
  leftTile[at + 1u] = Element(value.y);
  leftTile[at + 2u] = Element(value.z);
  leftTile[at + 3u] = Element(value.w);
}

fn putRight(at: u32, value: vec4f) {
  let inside = clamp(value, vec4f(-LARGEST), vec4f(LARGEST));
  rightTile[at] = Element(inside.x);
  rightTile[at + 1u] = Element(inside.y);
  rightTile[at + 2u] = Element(inside.z);
  rightTile[at + 3u] = Element(inside.w);
}

fn resultQuad(at: u32) -> vec4f {
  return vec4f(resultTile[at], resultTile[at + 1u], resultTile[at + 2u], resultTile[at + 3u]);
}

// The power of two below the largest number of a row. What it is divided by that lies within f16, without a rounding more.
fn powerBelow(largest: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(clamp(largest, 7.9e-31, 1e37)) & 0x7f800000u);
}
