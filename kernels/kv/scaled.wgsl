// Factors of the keys and the values of a slot's head: a vector for each KV head, behind the codes of the slot.
fn scalesAt(slot: u32, kvHead: u32) -> vec2f {
  return bitcast<vec4f>(poolAt(slot, SLOT_SCALES + kvHead)).xy;
}
