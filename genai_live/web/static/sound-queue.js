// Sound that waits to be heard, and the count of what was. Pure: the playback worklet asks it for samples, on the audio thread.

/** Seconds gathered before an answer begins, so that its second message need not come in time. */
export const LEAD_SECONDS = 0.06;
/** Seconds after which less than that is played too: whoever sent it may have nothing more to say. */
export const PATIENCE_SECONDS = 0.2;

/** A queue of 16-bit mono samples of one rate; idle, gathering, flowing or dry (ran empty within an answer). */
export class SoundQueue {
  #lead;
  #patience;
  #chunks = [];
  #first = 0; // index of the chunk that is heard
  #offset = 0; // its next sample
  #earlier = 0; // samples in the queue that came over an earlier socket, and count for nobody
  #complete = false;
  #waited = 0;

  state = "idle";
  /** Samples that wait. */
  waiting = 0;
  /** Samples heard since `begin()`. */
  played = 0;
  /** How often it ran empty within an answer. */
  underruns = 0;

  /** @param {number} rate samples per second */
  constructor(rate) {
    this.#lead = LEAD_SECONDS * rate;
    this.#patience = PATIENCE_SECONDS * rate;
  }

  /** Counts from zero for a new socket; what waits is still heard. */
  begin() {
    this.#earlier = this.waiting;
    this.played = 0;
  }

  /** @param {Int16Array} samples appended to what is to be heard */
  push(samples) {
    if (samples.length === 0) return;
    if (this.state === "dry") this.underruns += 1;
    if (this.state !== "flowing") this.state = "gathering";
    this.#chunks.push(samples);
    this.waiting += samples.length;
    this.#complete = false;
  }

  /** What runs empty from now on is no underrun. */
  endOfAnswer() {
    this.#complete = true;
    if (this.state === "dry") this.state = "idle";
  }

  /** Drops all that was not heard yet. */
  flush() {
    this.#chunks = [];
    this.#first = this.#offset = this.#earlier = this.#waited = this.waiting = 0;
    this.state = "idle";
  }

  /** Fills `output` with the next samples, from -1 to 1, and silence after them; returns how many are sound. */
  pull(output) {
    if (this.state === "gathering" && this.#mayFlow(output.length)) this.state = "flowing";
    const count = this.state === "flowing" ? this.#copy(output) : 0;
    output.fill(0, count);
    if (this.state === "flowing" && this.waiting === 0) {
      this.state = this.#complete ? "idle" : "dry";
      this.#waited = 0;
    }
    return count;
  }

  #mayFlow(count) {
    this.#waited += count;
    return this.#complete || this.waiting >= this.#lead || this.#waited > this.#patience;
  }

  #copy(output) {
    let count = 0;
    while (count < output.length && this.waiting > count) {
      const chunk = this.#chunks[this.#first];
      const end = Math.min(chunk.length, this.#offset + output.length - count);
      for (let at = this.#offset; at < end; at += 1) output[count++] = chunk[at] / 32768;
      this.#offset = end;
      if (end === chunk.length) this.#forgetFirst();
    }
    const earlier = Math.min(this.#earlier, count);
    this.#earlier -= earlier;
    this.played += count - earlier;
    this.waiting -= count;
    return count;
  }

  #forgetFirst() {
    this.#chunks[this.#first] = null;
    this.#first += 1;
    this.#offset = 0;
    if (this.#first > 64) {
      // seldom: shortening a long array for each message would move minutes of sound
      this.#chunks = this.#chunks.slice(this.#first);
      this.#first = 0;
    }
  }
}
