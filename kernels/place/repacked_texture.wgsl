// Repacked weights in a texture: row y, vector x.
@group(0) @binding(1) var packed: texture_storage_2d<rgba32uint, write>;

fn storePacked(x: u32, y: u32, width: u32, value: vec4u) {
  textureStore(packed, vec2u(x, y), value);
}
