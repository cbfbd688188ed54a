// Samples of a microphone, gathered into messages of 40 ms. Pure: the capture worklet calls it, on the audio thread.

/** Hz of the sound that the server is sent: 16-bit mono PCM, little-endian as every browser's machine is. */
export const INPUT_RATE = 16000;
/** Samples in a message: 40 ms, 1,280 bytes. One message for each 128 samples would be 125 a second. */
export const SAMPLES = 640;

/** Gathers samples from -1 to 1 into `Int16Array`s of `SAMPLES`. */
export class MessagesOfSound {
  #message = new Int16Array(SAMPLES);
  #count = 0;

  /** @param {Float32Array} samples @returns {Int16Array[]} the messages that they completed */
  push(samples) {
    const complete = [];
    for (const sample of samples) {
      this.#message[this.#count++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.#count === SAMPLES) {
        complete.push(this.#message);
        this.#message = new Int16Array(SAMPLES);
        this.#count = 0;
      }
    }
    return complete;
  }
}
