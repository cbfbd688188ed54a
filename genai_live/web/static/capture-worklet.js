// The microphone's samples become messages of 40 ms at 16 kHz. Runs on the audio thread of its context.

import { INPUT_RATE, MessagesOfSound } from "./messages-of-sound.js";
import { Resampler } from "./resampling.js";

class Capture extends AudioWorkletProcessor {
  #resampler = new Resampler(sampleRate, INPUT_RATE);
  #messages = new MessagesOfSound();

  process([[channel]]) {
    if (!channel) return true; // nothing is connected yet
    for (const message of this.#messages.push(this.#resampler.convert(channel))) {
      this.port.postMessage(message.buffer, [message.buffer]);
    }
    return true;
  }
}

registerProcessor("genai-live-capture", Capture);
