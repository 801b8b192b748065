// The up of gated units, in a texture: a row of quads is a row of texels.
@group(0) @binding(UP) var upVectors: texture_storage_2d<rgba32float, read>;

fn upAt(row: u32, width: u32, quad: u32) -> vec4f {
  return textureLoad(upVectors, vec2u(quad, row));
}
