// The microphone: messages of 40 ms of 16 kHz PCM16. On the page's thread; the samples are on the audio thread.

import { INPUT_RATE } from "./messages-of-sound.js";

const WORKLET = new URL("./capture-worklet.js", import.meta.url).href;
const WANTED = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const PATIENCE = 5000; // milliseconds; a loudspeaker without wires takes two seconds to wake up

/** The problem (a key of `SENTENCES`) for each error of `getUserMedia`; any other is a busy device. */
const PROBLEMS = {
  NotAllowedError: "microphone_refused",
  SecurityError: "microphone_refused",
  NotFoundError: "microphone_missing",
  OverconstrainedError: "microphone_missing",
};

/** Why there is no sound; `problem` is a key of `SENTENCES`. */
export class SoundProblem extends Error {
  constructor(problem, cause) {
    super(problem, { cause });
    this.problem = problem;
  }
}

/** Waits until samples flow in a context: without a loudspeaker, or a click of the visitor, a browser never says that they do not. */
async function flowing(context) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new SoundProblem("sound_missing")), PATIENCE)));
  await Promise.race([context.resume(), late]);
  clearTimeout(timer);
}

/** A microphone that somebody has allowed, and its way to the messages. */
export class Microphone {
  #stream;
  #context;
  /** Shows how loud it is. */
  analyser;

  /**
   * Asks for the microphone; `onMessage` gets each `ArrayBuffer`, `onEnd` is called when the device is gone.
   *
   * @throws {SoundProblem} refused, none there, taken by another program, or the page is not secure
   */
  static async open(onMessage, onEnd) {
    if (!navigator.mediaDevices?.getUserMedia) throw new SoundProblem(isSecureContext ? "unsupported" : "insecure");
    const microphone = new Microphone();
    try {
      microphone.#stream = await navigator.mediaDevices.getUserMedia({ audio: WANTED });
    } catch (error) {
      throw new SoundProblem(PROBLEMS[error.name] ?? "microphone_busy", error);
    }
    try {
      await microphone.#connect(onMessage);
    } catch (error) {
      await microphone.close();
      throw error instanceof SoundProblem ? error : new SoundProblem("unsupported", error);
    }
    microphone.#stream.getAudioTracks()[0].onended = onEnd;
    return microphone;
  }

  /** Hz at which the browser hands over the samples. */
  get rate() {
    return this.#context.sampleRate;
  }

  async #connect(onMessage) {
    const source = this.#source();
    await this.#context.audioWorklet.addModule(WORKLET);
    const capture = new AudioWorkletNode(this.#context, "genai-live-capture", { channelCount: 1, channelCountMode: "explicit" });
    capture.port.onmessage = ({ data }) => onMessage(data);
    this.analyser = new AnalyserNode(this.#context, { fftSize: 1024 });
    source.connect(this.analyser).connect(capture).connect(this.#context.destination); // whose output is silence
    await flowing(this.#context);
  }

  /** The microphone in a context of 16 kHz, or of its own rate where the browser refuses to connect it to another (Firefox). */
  #source() {
    try {
      this.#context = new AudioContext({ sampleRate: INPUT_RATE, latencyHint: "interactive" });
      return new MediaStreamAudioSourceNode(this.#context, { mediaStream: this.#stream });
    } catch {
      this.#context?.close();
      this.#context = new AudioContext({ latencyHint: "interactive" });
      return new MediaStreamAudioSourceNode(this.#context, { mediaStream: this.#stream });
    }
  }

  /** Switches the light of the microphone off. */
  async close() {
    for (const track of this.#stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    await this.#context?.close();
  }
}
