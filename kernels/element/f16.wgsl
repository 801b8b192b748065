// Matrices of f16: half the workgroup memory, and what units multiply fastest.
enable f16;
alias Element = f16;
const LARGEST = 65504.0;
