// The first row for every token.
fn rowOf(token: u32) -> u32 {
  return 0u;
}
