// y = exp(x - max) / sum of exp(x - max), a row a workgroup. Numbers of a row past `length` fill its last vector; they become 0.
const X = 0u;
const Y = 1u;

struct Shape {
  quads: u32,
  length: u32,
}
@group(0) @binding(2) var<uniform> shape: Shape;

#include "lib/lanes.wgsl"
#include "lib/best.wgsl"
#include PLACE_X
#include PLACE_Y

// Numbers past the length as the lowest.
fn valueAt(row: u32, quad: u32) -> vec4f {
  let isPast = vec4u(quad * 4u) + vec4u(0u, 1u, 2u, 3u) >= vec4u(shape.length);
  return select(xAt(row, shape.quads, quad), vec4f(LOWEST), isPast);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x;
  var greatest = vec4f(LOWEST);
  for (var quad = lane; quad < shape.quads; quad += LANES) {
    greatest = max(greatest, valueAt(row, quad));
  }
  let most = lanesMax(max(max(greatest.x, greatest.y), max(greatest.z, greatest.w)));
  var sums = vec4f();
  for (var quad = lane; quad < shape.quads; quad += LANES) {
    // Past -87 it is no number that an f32 has.
    sums += exp(max(valueAt(row, quad) - most, vec4f(-100.0)));
  }
  let sum = lanesSum(sums.x + sums.y + sums.z + sums.w);
  for (var quad = lane; quad < shape.quads; quad += LANES) {
    let value = valueAt(row, quad);
    storeY(row, shape.quads, quad, select(exp(max(value - most, vec4f(-100.0))) / sum, vec4f(), value <= vec4f(LOWEST)));
  }
}
