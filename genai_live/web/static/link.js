// The page's end of the wire: one socket after another, until one side has had enough. On the page's thread; browser, clock and
// chance are handed in.

import { afterClose } from "./reconnection.js";

export const VERSION = 1;
/** Milliseconds that a server may take from the dial to its `started`. */
export const PATIENCE = 20000;
/** Messages of 40 ms that wait for the next socket: what is older than 2 s is dropped. */
export const HELD = 50;
/** Bytes that the browser has not sent yet, beyond which sound is dropped: 2 s. */
export const UNSENT = 64000;
/** Messages dropped in a row after which a socket is dead, whatever the browser says of it: 5 s. */
export const DEAD = 125;

/** What a refusal of a token means: as if the socket had been closed so. */
const REFUSED_STATUS = {
  401: { code: 1008, reason: "refused" },
  403: { code: 1008, reason: "refused" },
  500: { code: 1006, reason: "server" }, // tried again, as others that pass; then it is the server's, and not the network's
  429: { code: 1013, reason: "full" },
  503: { code: 1013, reason: "full" },
};
const NOBODY_THERE = { code: 1006 };

/** A function that asks the route of tokens; it throws with a `close`, as a socket would have been closed. */
export function tokenFrom(address, fetch) {
  return async () => {
    const response = await fetch(address, { credentials: "same-origin", cache: "no-store" });
    if (response.ok) return (await response.json()).token;
    throw Object.assign(new Error(`HTTP ${response.status}`), { close: REFUSED_STATUS[response.status] });
  };
}

/**
 * Speaks the wire format of docs/web-element.md over a socket, and opens the next one when it is lost.
 *
 * `on` has a function for each of: `started(settings)`, once for each socket; `sound(buffer)`; `event(event)`, everything else that the
 * server says; `lost()`; `ended(reason, sentence)` or `failed(problem, sentence)`, once, as the last; the sentence is the server's, if it gave one.
 */
export class Link {
  #address;
  #token;
  #on;
  #browser;
  #openSocket;
  #socket = null;
  #timer = null;
  #attempt = 0;
  #held = [];
  #droppedInARow = 0;
  #open = false; // the server has said `started` on this socket
  #begun = false; // on this one or an earlier one
  #received = 0; // seconds of sound since the last flush of this socket, or of the one before it
  #flushes = 0;
  #bytes = 0; // of a second of sound

  /** The signed id of the conversation, once there is one. */
  conversation = null;
  stats = { sent: 0, dropped: 0, sockets: 0 };

  constructor({ address, token, conversation = null, on, browser = globalThis, openSocket = null }) {
    this.#address = address;
    this.#token = token;
    this.conversation = conversation;
    this.#on = on;
    this.#browser = browser;
    this.#openSocket = openSocket ?? ((url) => new browser.WebSocket(url));
  }

  /** Dials; called once. */
  async open() {
    const attempt = (this.#socket = {}); // stands there until there is a socket
    this.#timer = this.#browser.setTimeout(() => this.#lost(), PATIENCE);
    try {
      const token = await this.#token();
      if (attempt === this.#socket) this.#dial(token);
    } catch (error) {
      if (attempt === this.#socket) this.#closed(error.close ?? NOBODY_THERE);
    }
  }

  #dial(token) {
    const socket = this.#openSocket(this.#address);
    this.#socket = socket;
    this.stats.sockets += 1;
    socket.binaryType = "arraybuffer";
    let refused = {};
    socket.onopen = () => {
      // What came before is still heard: another server sends what is missing.
      const before = this.#begun ? { received: this.#received, flushes: this.#flushes } : {};
      socket.send(JSON.stringify({ event: "start", version: VERSION, token, conversation: this.conversation, ...before }));
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      const event = typeof data === "string" ? JSON.parse(data) : null;
      if (event?.event === "refused") refused = event;
      else if (event?.event === "started") this.#started(event);
      else this.#take(event, data);
    };
    socket.onclose = ({ code }) => socket === this.#socket && this.#closed({ code, ...refused });
  }

  #take(event, data) {
    if (event?.event === "flush") {
      this.#received = 0;
      this.#flushes += 1;
    } else if (!event) this.#received += data.byteLength / this.#bytes;
    if (event) this.#on.event(event);
    else this.#on.sound(data);
  }

  #started(settings) {
    this.#received = this.#flushes = 0;
    this.#bytes = 2 * (settings.output_rate ?? 24000);
    this.#browser.clearTimeout(this.#timer);
    this.#attempt = 0;
    this.#open = this.#begun = true;
    this.conversation = settings.conversation ?? this.conversation;
    this.#on.started(settings);
    for (const message of this.#held.splice(0)) this.sound(message);
  }

  /** Sends one message of the microphone's sound, or holds it for the next socket of a conversation, or drops it. */
  sound(message) {
    if (this.#open) this.#send(message);
    else if (this.#begun) {
      this.#held.push(message);
      if (this.#held.length > HELD) {
        this.#held.shift();
        this.stats.dropped += 1;
      }
    }
  }

  #send(message) {
    if (this.#socket.bufferedAmount > UNSENT) {
      this.stats.dropped += 1;
      this.#droppedInARow += 1;
      if (this.#droppedInARow >= DEAD) this.#lost();
      return;
    }
    this.#droppedInARow = 0;
    this.#socket.send(message);
    this.stats.sent += 1;
  }

  /** Sends an event; whatever is said between two sockets goes nowhere. */
  say(event) {
    if (this.#open) this.#socket.send(JSON.stringify(event));
  }

  /** Tries at once, when a pause is being made: the machine is on a network again. */
  hurry() {
    if (this.#socket || this.#timer === null) return;
    this.#browser.clearTimeout(this.#timer);
    this.open();
  }

  /** Says that it stops, and ends; `ended` is not called. */
  stop() {
    this.say({ event: "stop" });
    this.#begun = false;
    this.#leave()?.close?.(1000);
  }

  #lost() {
    // The close event of a dead connection comes minutes later, and then to nobody.
    const socket = this.#socket;
    this.#closed(NOBODY_THERE);
    socket.close?.();
  }

  #leave() {
    const socket = this.#socket;
    this.#browser.clearTimeout(this.#timer);
    this.#socket = this.#timer = null;
    this.#open = false;
    this.#droppedInARow = 0;
    return socket;
  }

  #closed({ code, reason, sentence }) {
    this.#leave();
    const close = { code, refusal: reason, started: this.#begun, attempt: this.#attempt };
    const next = afterClose(close, this.#browser.Math.random);
    if ("again" in next) {
      this.#attempt += 1;
      if (this.#begun) this.#on.lost();
      this.#timer = this.#browser.setTimeout(() => this.open(), next.again);
      return;
    }
    this.#held = [];
    this.#begun = false;
    if ("ended" in next) this.#on.ended(next.ended, sentence);
    else this.#on.failed(next.problem, sentence);
  }
}
