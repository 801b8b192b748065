// Matrices of f32, where there is no f16 (emulated form only).
alias Element = f32;
const LARGEST = 3.4e38;
