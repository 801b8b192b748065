// Row r of a lane, where neighbouring lanes own neighbouring rows.
fn rowOf(group: u32, r: u32, lane: u32) -> u32 {
  return (group * ROWS + r) * LANES + lane;
}
