// One row a workgroup: row i is the i-th choice of the router, of the expert that it names. Nothing need be sorted; for
// steps in which hardly two tokens go to the same expert.
#include "rows/whole.wgsl"
#include PLACE_OF_EXPERT

@group(0) @binding(ROUTES) var<storage, read> routes: array<u32>;

fn rowRange(group: u32) -> RowRange {
  let expert = routes[group];
  let inShard = placeOf(expert) - shape.firstExpert;
  return RowRange(group, select(group, group + 1u, inShard < shape.experts), inShard * shape.quads, expert * shape.quads);
}

fn inputRow(row: u32) -> u32 {
  return row / shape.share;
}

fn outputRow(row: u32) -> u32 {
  return row;
}
