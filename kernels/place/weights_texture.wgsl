// Weights in a texture: row y, vector x.
@group(0) @binding(0) var packed: texture_storage_2d<rgba32uint, read>;

fn packedAt(x: u32, y: u32, width: u32) -> vec4u {
  return textureLoad(packed, vec2u(x, y));
}
