// What the server says is heard, and counted as it is. Runs on the audio thread of its context, which has the rate of the sound.

import { SoundQueue } from "./sound-queue.js";

const REPORT_SECONDS = 0.5;

class Playback extends AudioWorkletProcessor {
  #queue = new SoundQueue(sampleRate);
  #socket = 0; // which of the page's sockets the count belongs to
  #flushes = 0; // since then
  #unreported = 0;
  #sounds = false;
  #finishing = false;

  #orders = {
    begin: ({ socket }) => {
      this.#socket = socket;
      this.#flushes = 0;
      this.#queue.begin();
    },
    sound: ({ pcm }) => this.#queue.push(new Int16Array(pcm, 0, pcm.byteLength >> 1)),
    endOfAnswer: () => this.#queue.endOfAnswer(),
    finish: () => {
      this.#queue.endOfAnswer();
      this.#finishing = true;
    },
    flush: () => {
      this.#queue.flush();
      this.#flushes += 1;
      this.#report(true);
    },
  };

  constructor() {
    super();
    this.port.onmessage = ({ data }) => this.#orders[data.order](data);
  }

  process(_, [[channel]]) {
    const count = this.#queue.pull(channel);
    const empty = this.#queue.waiting === 0;
    const begins = count > 0 && !this.#sounds;
    const ends = empty && (count > 0 || this.#finishing);
    this.#sounds = count > 0;
    this.#unreported += count;
    if (begins || ends || this.#unreported >= REPORT_SECONDS * sampleRate) this.#report(empty);
    return !(empty && this.#finishing);
  }

  #report(empty) {
    this.#unreported = 0;
    this.port.postMessage({
      socket: this.#socket,
      played: this.#queue.played / sampleRate,
      waiting: this.#queue.waiting / sampleRate,
      flushes: this.#flushes,
      underruns: this.#queue.underruns,
      finished: empty && this.#finishing,
    });
  }
}

registerProcessor("genai-live-playback", Playback);
