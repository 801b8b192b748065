// Rows of the step, once for each head that the plane has: a head has rows of weights of its own, multiplies channels of its own of a
// row of x, and gives channels of its own of a row of y.
var<private> ownHead: u32;

fn rowRange(group: u32) -> RowRange {
  let count = batch[shape.count];
  let tiles = (count + TOKENS - 1u) / TOKENS;
  let inShard = group / tiles;
  let first = group % tiles * TOKENS;
  ownHead = shape.firstExpert + inShard;
  return RowRange(first, min(first + TOKENS, count), inShard * shape.headPitch + shape.headStart, 0u);
}

fn inputAt(row: u32, width: u32, quad: u32) -> vec4f {
  return xAt(row, shape.inputWidth, ownHead * width + quad);
}

fn inputRow(row: u32) -> u32 {
  return row;
}

fn outputRow(row: u32) -> u32 {
  return row;
}

fn outputQuad(quad: u32) -> u32 {
  return ownHead * shape.quads + quad;
}
