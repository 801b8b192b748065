// What every matmul kernel is told and given: its shape, its output, the batch. What becomes of the sums is an
// epilogue's business (epilogue/*.wgsl).
struct Shape {
  rows: u32,
  blocks: u32,       // columns / 32
  stride: u32,       // of y, in elements
  offset: u32,       // of this matrix among the rows of y
  count: u32,        // index in the batch header of the number of rows of x
  epsilon: f32,      // of the norm on the way in
  scale: f32,        // of the queries on the way out
}
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read> batch: array<u32>;
@group(0) @binding(SHAPE) var<uniform> shape: Shape;
