// Up to TOKENS rows of one expert: the router's choices sorted by expert (experts_sort.wgsl). Expert e has the workgroups from
// offsets[e] / TOKENS + e on: as many as it can need, and never one of the next expert's. Those that it does not need end at once.
#include "rows/whole.wgsl"
#include PLACE_OF_EXPERT

@group(0) @binding(ROUTES) var<storage, read> routes: array<u32>;

fn firstGroup(expert: u32) -> u32 {
  return routes[ROUTE_OFFSETS + expert] / TOKENS + expert;
}

fn rowRange(group: u32) -> RowRange {
  // The last expert that starts at or before this workgroup.
  var expert = 0u;
  var end = EXPERTS;
  while (end - expert > 1u) {
    let middle = (expert + end) / 2u;
    if (firstGroup(middle) <= group) {
      expert = middle;
    } else {
      end = middle;
    }
  }
  let last = routes[ROUTE_OFFSETS + expert + 1u];
  let first = min(last, routes[ROUTE_OFFSETS + expert] + (group - firstGroup(expert)) * TOKENS);
  let inShard = placeOf(expert) - shape.firstExpert;
  return RowRange(first, select(first, min(last, first + TOKENS), inShard < shape.experts), inShard * shape.quads, expert * shape.quads);
}

fn inputRow(row: u32) -> u32 {
  return routes[ROUTE_ORDER + row] / shape.share;
}

fn outputRow(row: u32) -> u32 {
  return routes[ROUTE_ORDER + row];
}
