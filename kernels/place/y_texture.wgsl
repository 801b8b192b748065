// What a kernel writes, in a texture: a row of quads is a row of texels.
@group(0) @binding(Y) var yVectors: texture_storage_2d<rgba32float, write>;

fn storeY(row: u32, width: u32, quad: u32, value: vec4f) {
  textureStore(yVectors, vec2u(quad, row), value);
}
