// Rows with gates in a texture: a row of quads is a row of texels.
@group(0) @binding(GATES) var gateVectors: texture_storage_2d<rgba32float, read>;

fn gateAt(row: u32, width: u32, quad: u32) -> vec4f {
  return textureLoad(gateVectors, vec2u(quad, row));
}
