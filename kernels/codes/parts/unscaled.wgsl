// Codes come as they are.
fn codeScale(quad: u32) -> vec4f {
  return vec4f(1.0);
}
