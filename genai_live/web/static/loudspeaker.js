// The loudspeaker: plays what it is given, and tells how much of it was heard. On the page's thread; the queue is on the audio thread.

const WORKLET = new URL("./playback-worklet.js", import.meta.url).href;

/** Plays 16-bit mono PCM of one rate. */
export class Loudspeaker {
  #context;
  #onPlayed;
  #node = null;
  #orders = []; // given before the worklet was there
  #socket = 0;
  /** Shows how loud it is; null until it is open. */
  analyser = null;
  /** Hz of what it plays. */
  rate;
  /** What the worklet said last: seconds played and flushes since the socket's start, seconds that wait, times it ran empty. */
  report = { played: 0, flushes: 0, waiting: 0, underruns: 0 };

  /**
   * Made within a click, since a browser lets no page make sound without one.
   *
   * `onPlayed` is called with a report after each 0.1 s of sound, at each flush, and when nothing waits.
   */
  constructor(rate, onPlayed) {
    this.rate = rate;
    this.#onPlayed = onPlayed;
    this.#context = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    this.#context.resume().catch(() => {}); // closed meanwhile
  }

  /** Loads the worklet. */
  async open() {
    await this.#context.audioWorklet.addModule(WORKLET);
    this.#node = new AudioWorkletNode(this.#context, "genai-live-playback", { numberOfInputs: 0, outputChannelCount: [1] });
    this.#node.port.onmessage = ({ data }) => this.#hear(data);
    this.analyser = new AnalyserNode(this.#context, { fftSize: 1024 });
    this.#node.connect(this.analyser).connect(this.#context.destination);
    for (const [order, sound] of this.#orders.splice(0)) this.#order(order, sound);
  }

  #hear({ socket, finished, ...report }) {
    if (finished) this.close();
    if (socket !== this.#socket) return; // counted for a socket that is gone
    this.report = report;
    this.#onPlayed(report);
  }

  /** Counts from zero for a new socket; what waits is still heard. */
  begin() {
    this.#socket += 1;
    this.report = { ...this.report, played: 0, flushes: 0 };
    this.#order({ order: "begin", socket: this.#socket });
  }

  /** @param {ArrayBuffer} pcm is taken over */
  play(pcm) {
    this.#order({ order: "sound", pcm }, [pcm]);
  }

  endOfAnswer() {
    this.#order({ order: "endOfAnswer" });
  }

  flush() {
    this.#order({ order: "flush" });
  }

  /** Plays what waits, then closes. */
  finish() {
    if (this.#node) this.#order({ order: "finish" });
    else this.close();
  }

  #order(order, sound = []) {
    if (this.#node) this.#node.port.postMessage(order, sound);
    else this.#orders.push([order, sound]);
  }

  /** Is silent at once. */
  async close() {
    if (this.#context.state !== "closed") await this.#context.close();
  }
}
