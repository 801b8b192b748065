// What the sums are added to, in a texture: a row of quads is a row of texels.
@group(0) @binding(EPILOGUE) var sumVectors: texture_storage_2d<rgba32float, read>;

fn sumAt(row: u32, width: u32, quad: u32) -> vec4f {
  return textureLoad(sumVectors, vec2u(quad, row));
}
