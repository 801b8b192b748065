// K and V as floats.
fn storeHead(slot: u32, first: u32, head: Head, lane: u32) {
  for (var v = lane; v < HEAD_VECTORS; v += LANES) {
    let quad = v * VECTOR_QUADS;
    storePool(slot, first + v, packVector(finishedQuad(head, quad), finishedQuad(head, quad + 1u), 0u));
  }
}

fn storeHeads(slot: u32, kvHead: u32, key: Head, value: Head, lane: u32) {
  storeHead(slot, kvHead * HEAD_VECTORS, key, lane);
  storeHead(slot, SLOT_VALUES + kvHead * HEAD_VECTORS, value, lane);
}
