// All experts lie in their order.
fn placeOf(expert: u32) -> u32 {
  return expert;
}
