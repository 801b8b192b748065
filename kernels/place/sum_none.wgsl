// Nothing to add to.
fn sumAt(row: u32, width: u32, quad: u32) -> vec4f {
  return vec4f();
}
