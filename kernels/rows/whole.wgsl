// A row of x is multiplied as a whole, and what comes of it is a row of y, or stands in one from shape.offset on.
fn inputAt(row: u32, width: u32, quad: u32) -> vec4f {
  return xAt(row, width, quad);
}

fn outputQuad(quad: u32) -> u32 {
  return shape.offset + quad;
}
