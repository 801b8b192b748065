// Heads are not normed.
fn isNormed(kind: u32) -> bool {
  return false;
}

fn weighQuad(value: vec4f, kind: u32, quad: u32) -> vec4f {
  return value;
}
