// What a kernel reads, in a texture: a row of quads is a row of texels.
@group(0) @binding(X) var xVectors: texture_storage_2d<rgba32float, read>;

fn xAt(row: u32, width: u32, quad: u32) -> vec4f {
  return textureLoad(xVectors, vec2u(quad, row));
}
