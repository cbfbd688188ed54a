// One rate of samples to another. Pure: the capture worklet calls it, on the audio thread, where no context of 16 kHz is to be had.

const ZERO_CROSSINGS = 16; // on each side: 1 ms of delay at 16 kHz, 60 dB of what would fold back
const PASSED = 0.9; // of the lower rate's half; the rest is for the slope
const MOST_PHASES = 512; // between samples; 44,100 to 16,000 Hz needs 160

function greatestDivisor(a, b) {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/** Low-pass filters for each of the positions between two samples, each with the sum 1. */
function filters(phases, reach, cutoff) {
  const taps = 2 * reach;
  return Array.from({ length: phases }, (_, phase) => {
    const filter = new Float32Array(taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const x = tap - reach + 1 - phase / phases; // distance in samples of the input
      const angle = Math.PI * x * cutoff;
      const window = Math.abs(x) >= reach ? 0 : 0.42 + 0.5 * Math.cos((Math.PI * x) / reach) + 0.08 * Math.cos((2 * Math.PI * x) / reach);
      filter[tap] = (x === 0 ? 1 : Math.sin(angle) / angle) * window;
      sum += filter[tap];
    }
    return filter.map((each) => each / sum);
  });
}

/** Converts a stream of samples block by block; equal rates pass through. */
export class Resampler {
  #step; // samples of the input for each of the output
  #filters;
  #held; // the last samples of the blocks before
  #position; // of the next output sample, in samples of `held` and the block after it

  /** @param {number} from Hz of the input @param {number} to Hz of the output */
  constructor(from, to) {
    this.#step = from / to;
    if (from === to) return;
    const phases = Math.min(MOST_PHASES, to / greatestDivisor(from, to));
    const reach = Math.ceil(ZERO_CROSSINGS * Math.max(1, this.#step));
    this.#filters = filters(phases, reach, PASSED * Math.min(1, 1 / this.#step));
    this.#held = new Float32Array(2 * reach - 1);
    this.#position = reach - 1;
  }

  /** @param {Float32Array} block of the input @returns {Float32Array} what it completes of the output */
  convert(block) {
    if (!this.#filters) return block;
    const input = new Float32Array(this.#held.length + block.length);
    input.set(this.#held);
    input.set(block, this.#held.length);
    const reach = this.#filters[0].length / 2;
    const output = new Float32Array(Math.max(0, Math.ceil((input.length - reach - this.#position) / this.#step)));
    let count = 0;
    for (; this.#position + reach < input.length && count < output.length; this.#position += this.#step) {
      output[count++] = this.#at(input, this.#position, reach);
    }
    this.#held = input.slice(block.length);
    this.#position -= block.length;
    return count === output.length ? output : output.subarray(0, count);
  }

  #at(input, position, reach) {
    const phases = this.#filters.length;
    let phase = Math.round((position - Math.floor(position)) * phases);
    let first = Math.floor(position) - reach + 1;
    if (phase === phases) {
      phase = 0;
      first += 1;
    }
    const filter = this.#filters[phase];
    let sum = 0;
    for (let tap = 0; tap < filter.length; tap += 1) sum += filter[tap] * input[first + tap];
    return sum;
  }
}
