// Quad q of a lane: a lane owns neighbouring quads of rows.
fn quadOf(group: u32, q: u32, lane: u32) -> u32 {
  return (group * LANES + lane) * QUADS + q;
}
