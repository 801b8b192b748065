// Some experts are there, in slots: the routes say which (written between router and matmul, runtime/experts/pager.ts). One that is not has a slot behind the last.
fn placeOf(expert: u32) -> u32 {
  return routes[ROUTE_SLOTS + expert];
}
