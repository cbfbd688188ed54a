// The element <genai-live-voice>: a visitor presses a button, talks, hears and reads the answers. On the page's thread; the samples are
// on two audio threads. docs/web-element.md has attributes, events, methods, parts and variables.

import { Link, tokenFrom } from "./link.js";
import { loudness } from "./levels.js";
import { Loudspeaker } from "./loudspeaker.js";
import { Microphone } from "./microphone.js";
import { SENTENCES } from "./sentences.js";
import { after, running } from "./states.js";
import { Transcript } from "./transcript.js";
import { View } from "./view.js";

const OUTPUT_RATE = 24000;
const MESSAGES_A_SECOND = 25;
const TAIL = 150; // milliseconds after a release in which the message with the last syllable is complete
const GOES_ON = new Set(["lost", "unreachable", "full", "busy", "idle"]); // the same conversation may be taken up again after these
const HOLD_KEYS = new Set([" ", "Enter"]);

export class GenaiLiveVoice extends HTMLElement {
  #state = "idle";
  #view;
  #own = {}; // sentences of the page
  #transcript = new Transcript();
  #problem = "";

  /** A function that gives something like a WebSocket for an address, where there is another way to the server; null is the browser's. */
  openSocket = null;

  #run = null; // stands for one conversation, from start to end
  #link = null;
  #microphone = null;
  #loudspeaker = null;
  #conversation = null; // the id of one that may be taken up again
  #reconnections = 0;

  #holds = false; // push to talk
  #pressed = false;
  #releasing = null; // the timer of a release
  #muted = false;

  #online = () => this.#link?.hurry();
  #leaving = () => this.stop();

  constructor() {
    super();
    const levels = () => ({
      user: this.#talks() ? loudness(this.#microphone?.analyser) : 0,
      model: loudness(this.#loudspeaker?.analyser),
    });
    this.#view = new View(this.attachShadow({ mode: "open" }), (name) => this.sentences[name], levels);
    this.#listen();
    this.#show();
  }

  connectedCallback() {
    this.setAttribute("state", this.#state);
    addEventListener("online", this.#online);
    addEventListener("pagehide", this.#leaving);
  }

  disconnectedCallback() {
    removeEventListener("online", this.#online);
    removeEventListener("pagehide", this.#leaving);
    queueMicrotask(() => this.isConnected || this.stop()); // an element that is moved is connected again by then
  }

  // Questions and orders of the page

  /** What it does: idle, connecting, listening, hearing, waiting, speaking, reconnecting, ended or failed. */
  get state() {
    return this.#state;
  }

  /** What was said: a list of `{speaker, text, final, interrupted}`, oldest first. */
  get transcript() {
    return this.#transcript.entries.map((each) => ({ ...each }));
  }

  /** Counts of this conversation, or of the last. */
  get stats() {
    const { played = 0, waiting = 0, underruns = 0 } = this.#loudspeaker?.report ?? {};
    const { sent = 0, dropped = 0 } = this.#link?.stats ?? {};
    return {
      sentSeconds: sent / MESSAGES_A_SECOND,
      droppedSeconds: dropped / MESSAGES_A_SECOND,
      playedSeconds: played,
      waitingSeconds: waiting,
      underruns,
      reconnections: this.#reconnections,
      captureRate: this.#microphone?.rate ?? null,
      playbackRate: this.#loudspeaker?.rate ?? null,
    };
  }

  /** The words that visitors read; those that are set replace their like in `sentences.js`. */
  get sentences() {
    return { ...SENTENCES, ...this.#own };
  }

  set sentences(sentences) {
    this.#own = { ...sentences };
    this.#show();
  }

  /** Begins a conversation, within a click; resolves to the state when it has begun or failed. Does nothing while one runs. */
  async start() {
    if (running(this.#state)) return this.#state;
    const run = this.#begin();
    try {
      await this.#openSound(run);
      if (run === this.#run) this.#link.open();
    } catch (error) {
      if (run === this.#run) this.#fail(error.problem ?? "unsupported");
    }
    return run.begun;
  }

  /** Ends the conversation; microphone and loudspeaker are off when it resolves. */
  async stop() {
    if (!running(this.#state)) return;
    this.#conversation = null;
    this.#move("stop");
    this.#link.stop();
    await Promise.all([this.#microphone?.close(), this.#loudspeaker.close()]);
  }

  /** Says something in writing. */
  send(text) {
    this.#link?.say({ event: "text", text });
  }

  focus(options) {
    this.#view.primary.focus(options);
  }

  // One conversation

  #begin() {
    let begun;
    const run = { begun: new Promise((resolve) => (begun = resolve)) };
    run.settle = () => begun(this.#state);
    this.#run = run;
    this.#problem = "";
    this.#reconnections = 0;
    this.#muted = this.#holds = this.#pressed = false;
    this.#loudspeaker?.close();
    this.#microphone = null;
    if (this.#conversation === null) {
      this.#transcript = new Transcript();
      this.#view.clear();
    }
    this.#link = this.#newLink();
    this.#loudspeaker = this.#newLoudspeaker(OUTPUT_RATE);
    this.#move("start");
    return run;
  }

  #newLink() {
    const source = new URL(this.getAttribute("src") ?? new URL(".", import.meta.url), document.baseURI);
    const address = new URL(this.getAttribute("socket") ?? source, document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    const given = this.getAttribute("token");
    const asked = given === null && !this.hasAttribute("socket");
    return new Link({
      address: address.href,
      token: asked ? tokenFrom(new URL("token", source), (...request) => fetch(...request)) : () => given,
      conversation: this.#conversation,
      openSocket: this.openSocket,
      on: {
        started: (settings) => this.#started(settings),
        sound: (pcm) => this.#loudspeaker.play(pcm),
        event: (event) => this.#hear(event),
        lost: () => this.#lost(),
        ended: (reason, sentence) => this.#finish(reason, sentence),
        failed: (problem, sentence) => this.#fail(problem, sentence),
      },
    });
  }

  #newLoudspeaker(rate) {
    return new Loudspeaker(rate, ({ played, flushes }) => this.#link.say({ event: "played", seconds: played, flushes }));
  }

  async #openSound(run) {
    const loudspeaker = this.#loudspeaker;
    const microphone = await Microphone.open(
      (message) => run === this.#run && this.#sound(message),
      () => run === this.#run && this.#fail("microphone_lost"),
    );
    if (run !== this.#run) {
      await microphone.close();
      return;
    }
    this.#microphone = microphone;
    await loudspeaker.open();
  }

  #started({ output_rate: rate = OUTPUT_RATE, turn_taking: turns }) {
    if (rate !== this.#loudspeaker.rate) {
      this.#loudspeaker.close();
      this.#loudspeaker = this.#newLoudspeaker(rate);
      this.#loudspeaker.open().catch(() => this.#fail("unsupported"));
    }
    this.#loudspeaker.begin();
    this.#holds = turns === "push_to_talk";
    if (this.#muted) this.#link.say({ event: "mute" });
    if (this.#pressed) this.#link.say({ event: "press" });
    this.#move("started");
  }

  #lost() {
    if (this.#state !== "reconnecting") this.#reconnections += 1;
    this.#move("lost");
  }

  #fail(problem, sentence) {
    this.#because(problem, sentence);
    this.#link.stop();
    this.#end("failed");
    this.#tell("problem", { problem, sentence: this.#problem });
  }

  #finish(reason, sentence) {
    this.#conversation = null;
    if (reason) this.#because(reason, sentence);
    this.#end("ended");
  }

  /** The page's own words for it, else the server's, else those that come with the element. */
  #because(problem, sentence) {
    this.#problem = this.#own[problem] ?? sentence ?? SENTENCES[problem] ?? SENTENCES.refused;
    this.#conversation = GOES_ON.has(problem) ? this.#link.conversation : null;
  }

  /** What was said until now is still heard. */
  #end(how) {
    this.#microphone?.close();
    this.#loudspeaker.finish();
    this.#move(how);
  }

  // What the server says

  static #EVENTS = {
    flush: (element) => element.#loudspeaker.flush(),
    end_of_answer: (element) => element.#loudspeaker.endOfAnswer(),
    state_changed: (element, { state }) => element.#move(state),
    user_words: (element, { text, final }) => element.#words("user", text, final),
    model_words: (element, { text, final }) => element.#words("model", text, final),
    interrupted: (element, { heard, exact }) => element.#interrupted(heard, exact),
    turn_ended: (element, event) => element.#tell("turnended", event),
    reconnected: (element, event) => event.state_restored || element.#view.note(element.sentences.forgotten),
  };

  #hear(event) {
    GenaiLiveVoice.#EVENTS[event.event]?.(this, event);
    this.#tell("serverevent", event);
  }

  #words(speaker, text, final) {
    const entry = this.#transcript.words(speaker, text, final);
    if (!entry) return;
    this.#view.entry(entry, this.#transcript.after(entry));
    this.#tell("words", { speaker, text, final });
  }

  #interrupted(heard, exact) {
    const entry = this.#transcript.interrupted();
    if (entry) this.#view.entry(entry);
    this.#tell("interrupted", { heard, exact });
  }

  // What the visitor does

  #talks() {
    return this.#holds ? this.#pressed : !this.#muted;
  }

  #sound(message) {
    if (this.#talks()) this.#link.sound(message);
    if (this.#releasing !== null) this.#released();
  }

  #press() {
    if (!this.#holds || !running(this.#state)) return;
    if (this.#releasing !== null) this.#released();
    if (this.#pressed) return;
    this.#pressed = true;
    this.#link.say({ event: "press" });
    this.#show();
  }

  /** The message that is being gathered has the last syllable: it goes out first. */
  #release() {
    if (this.#pressed && this.#releasing === null) this.#releasing = setTimeout(() => this.#released(), TAIL);
  }

  #released() {
    clearTimeout(this.#releasing);
    this.#releasing = null;
    this.#pressed = false;
    this.#link.say({ event: "release" });
    this.#show();
  }

  #toggleMute() {
    this.#muted = !this.#muted;
    this.#link.say({ event: this.#muted ? "mute" : "unmute" });
    this.#show();
  }

  #listen() {
    const { primary, mute, leave } = this.#view;
    const holding = () => this.#holds && running(this.#state);
    primary.addEventListener("click", () => {
      if (!running(this.#state)) this.start();
      else if (!this.#holds) this.stop();
    });
    primary.addEventListener("pointerdown", (event) => {
      if (!holding() || event.button !== 0) return;
      primary.setPointerCapture(event.pointerId);
      this.#press();
    });
    for (const name of ["pointerup", "pointercancel", "blur"]) primary.addEventListener(name, () => this.#release());
    primary.addEventListener("contextmenu", (event) => holding() && event.preventDefault()); // a long touch
    primary.addEventListener("keydown", (event) => {
      if (!HOLD_KEYS.has(event.key) || (!holding() && !event.repeat)) return; // a key held down starts and stops nothing again
      event.preventDefault();
      if (!event.repeat) this.#press();
    });
    primary.addEventListener("keyup", (event) => {
      if (!HOLD_KEYS.has(event.key) || !holding()) return;
      event.preventDefault();
      this.#release();
    });
    mute.addEventListener("click", () => this.#toggleMute());
    leave.addEventListener("click", () => this.stop());
    this.addEventListener("keydown", (event) => event.key === "Escape" && this.stop());
  }

  // What is seen and told

  #move(happening) {
    const previous = this.#state;
    this.#state = after(previous, happening);
    if (this.#state === previous) {
      this.#show();
      return;
    }
    if (!running(this.#state)) this.#rest();
    if (this.#state !== "connecting") this.#run?.settle();
    if (!running(this.#state)) this.#run = null;
    this.setAttribute("state", this.#state);
    this.#show();
    this.#tell("statechange", { state: this.#state, previous });
  }

  #rest() {
    clearTimeout(this.#releasing);
    this.#releasing = null;
    this.#pressed = false;
    this.#transcript.finish();
    for (const entry of this.#transcript.entries) this.#view.entry(entry);
  }

  #show() {
    const holds = this.#holds;
    this.#view.show({ state: this.#state, holds, pressed: this.#pressed, muted: this.#muted, problem: this.#problem });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

if (!customElements.get("genai-live-voice")) customElements.define("genai-live-voice", GenaiLiveVoice);
