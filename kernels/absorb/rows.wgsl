// A row of weights for each plain channel of the query, a column for each channel of the latent: W^T q, with whole blocks of columns, or
// quads of them, to a lane, which goes down the rows.
const OWN_RUNS = 8u / OWN_QUADS;   // of a block

fn absorb(head: u32, firstRow: u32, first: u32, end: u32, lane: u32) {
  for (var run = lane; run < shape.blocks * OWN_RUNS; run += INVOCATIONS) {
    let block = run / OWN_RUNS;
    let firstQuad = run % OWN_RUNS * OWN_QUADS;
    var sums = array<array<vec4f, OWN_QUADS>, TOKENS>();
    for (var q = 0u; q < shape.rowQuads; q++) {
      let place = quadPlace(firstRow + q, shape.blocks, shape.planeQuads);
      let words = loadCodeWords(place, block);
      let scales = loadScales(place, block);
      var x = array<vec4f, TOKENS>();
      #unroll
      for (var t = 0u; t < TOKENS; t++) {
        x[t] = plainQuad(min(first + t, end - 1u), head, q);
      }
      #unroll
      for (var r = 0u; r < 4u; r++) {
        let weights = loadBlock(place, r, block);
        #unroll
        for (var c = 0u; c < OWN_QUADS; c++) {
          let weight = weightQuad(weights, words, scales, r, firstQuad + c);
          #unroll
          for (var t = 0u; t < TOKENS; t++) {
            sums[t][c] += x[t][r] * weight;
          }
        }
      }
    }
    #unroll
    for (var t = 0u; t < TOKENS; t++) {
      if (first + t < end) {
        #unroll
        for (var c = 0u; c < OWN_QUADS; c++) {
          storeQuery(first + t, head, block * 8u + firstQuad + c, sums[t][c]);
        }
      }
    }
  }
}
