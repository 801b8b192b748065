// Factors of the keys and the values of a slot's head, for formats that have none.
fn scalesAt(slot: u32, kvHead: u32) -> vec2f {
  return vec2f(1.0);
}
