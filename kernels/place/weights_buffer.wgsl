// Weights in a buffer: row y of `width` vectors.
@group(0) @binding(0) var<storage, read> packed: array<vec4u>;

fn packedAt(x: u32, y: u32, width: u32) -> vec4u {
  return packed[y * width + x];
}
