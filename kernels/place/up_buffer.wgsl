// The up of gated units, in a buffer: rows of `width` quads.
@group(0) @binding(UP) var<storage, read> upVectors: array<vec4f>;

fn upAt(row: u32, width: u32, quad: u32) -> vec4f {
  return upVectors[row * width + quad];
}
