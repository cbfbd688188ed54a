// One rate of samples to another. Pure: the capture worklet calls it, on the audio thread, where no context of 16 kHz is to be had.

const ZERO_CROSSINGS = 32; // on each side: 2 ms of delay at 16 kHz; 6.5 kHz pass, and 70 dB of what would fold back do not
const PASSED = 0.92; // of the lower rate's half is the middle of the slope
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
  #parts; // the output's time is counted in this many parts of a sample of the input, so that it is exact for ever
  #step; // parts from one sample of the output to the next
  #filters;
  #held; // the last samples of the blocks before
  #time; // of the next sample of the output, in parts, from the first that is held

  /** @param {number} from Hz of the input @param {number} to Hz of the output */
  constructor(from, to) {
    if (from === to) return;
    const divisor = greatestDivisor(from, to);
    this.#parts = to / divisor;
    this.#step = from / divisor;
    const ratio = Math.max(1, from / to);
    const reach = Math.ceil(ZERO_CROSSINGS * ratio);
    this.#filters = filters(Math.min(MOST_PHASES, this.#parts), reach, PASSED / ratio);
    this.#held = new Float32Array(2 * reach - 1);
    this.#time = (reach - 1) * this.#parts;
  }

  /** @param {Float32Array} block of the input @returns {Float32Array} what it completes of the output */
  convert(block) {
    if (!this.#filters) return block;
    const input = new Float32Array(this.#held.length + block.length);
    input.set(this.#held);
    input.set(block, this.#held.length);
    const reach = this.#filters[0].length / 2;
    const end = (input.length - reach) * this.#parts;
    const output = new Float32Array(Math.max(0, Math.ceil((end - this.#time) / this.#step)));
    for (let count = 0; count < output.length; count += 1, this.#time += this.#step) output[count] = this.#at(input, reach);
    this.#held = input.slice(block.length);
    this.#time -= block.length * this.#parts;
    return output;
  }

  #at(input, reach) {
    const phase = this.#time % this.#parts;
    const first = (this.#time - phase) / this.#parts - reach + 1;
    const filter = this.#filters[Math.floor((phase / this.#parts) * this.#filters.length)];
    let sum = 0;
    for (let tap = 0; tap < filter.length; tap += 1) sum += filter[tap] * input[first + tap];
    return sum;
  }
}
