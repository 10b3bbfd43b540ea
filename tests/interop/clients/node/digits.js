// Digits of MNIST's test set as images of the API.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const IMAGE_SIDE = 32; // what the network reads
const DIGIT_SIDE = 28; // what MNIST has

// Puts a black border around 28x28 grey levels, which makes 32x32 of them.
function pad(grey) {
  const border = (IMAGE_SIDE - DIGIT_SIDE) / 2;
  const padded = Buffer.alloc(IMAGE_SIDE * IMAGE_SIDE);
  for (let row = 0; row < DIGIT_SIDE; row++) {
    grey.copy(padded, (row + border) * IMAGE_SIDE + border, row * DIGIT_SIDE, (row + 1) * DIGIT_SIDE);
  }
  return padded;
}

// The first `count` digits as { image, label }.
export function readDigits(folder, count) {
  const pixels = gunzipSync(readFileSync(join(folder, 't10k-images-idx3-ubyte.gz'))).subarray(16);
  const labels = gunzipSync(readFileSync(join(folder, 't10k-labels-idx1-ubyte.gz'))).subarray(8);
  const size = DIGIT_SIDE * DIGIT_SIDE;
  return Array.from({ length: count }, (_, i) => ({
    image: { gray8: pad(pixels.subarray(i * size, (i + 1) * size)) },
    label: labels[i],
  }));
}
