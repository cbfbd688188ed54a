// Hands every sample of what it is given to the page, leading silence left out. Runs on the audio thread.

class Tap extends AudioWorkletProcessor {
  #begun = false;

  process([[channel]]) {
    this.#begun ||= channel?.some((sample) => sample !== 0);
    if (this.#begun) this.port.postMessage(Array.from(channel ?? new Float32Array(128), (sample) => Math.round(sample * 32768)));
    return true;
  }
}

registerProcessor("tap", Tap);
