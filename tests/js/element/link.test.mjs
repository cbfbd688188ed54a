// The page's end of the wire, with a browser, a clock and chance of the test's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEAD, HELD, Link, PATIENCE, UNSENT, tokenFrom } from "../../../genai_live/web/static/link.js";

/** Sockets that are opened and closed by hand, and a clock that is moved by hand. */
class Browser {
  sockets = [];
  now = 0;
  #timers = new Map();
  Math = { random: () => 0 };

  constructor() {
    const { sockets } = this;
    this.WebSocket = class {
      bufferedAmount = 0;
      sent = [];
      closed = null;
      constructor(address) {
        this.address = address;
        sockets.push(this);
      }
      send(data) {
        this.sent.push(typeof data === "string" ? JSON.parse(data) : data);
      }
      close(code) {
        this.closed = code ?? 1005;
      }
      says(event, fields = {}) {
        this.onmessage({ data: JSON.stringify({ event, ...fields }) });
      }
    };
  }

  setTimeout(act, milliseconds) {
    const timer = Symbol("timer");
    this.#timers.set(timer, { act, at: this.now + milliseconds });
    return timer;
  }

  clearTimeout(timer) {
    this.#timers.delete(timer);
  }

  async pass(milliseconds) {
    this.now += milliseconds;
    for (const [timer, { act, at }] of this.#timers) {
      if (at > this.now) continue;
      this.#timers.delete(timer);
      act();
    }
    await settled();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

async function dialled({ token = () => "signed", ...rest } = {}) {
  const browser = new Browser();
  const told = [];
  const on = Object.fromEntries(
    ["started", "sound", "event", "lost", "ended", "failed"].map((name) => [name, (...what) => told.push([name, ...what])]),
  );
  const link = new Link({ address: "ws://there/voice/", token, on, browser, ...rest });
  await link.open();
  return { browser, link, told, names: () => told.map(([name]) => name) };
}

async function started(rest = {}) {
  const all = await dialled(rest);
  const [socket] = all.browser.sockets;
  socket.onopen();
  socket.says("started", { conversation: "c1" });
  return { ...all, socket };
}

const sound = (number) => new Int16Array([number]).buffer;
const numbers = (socket) => socket.sent.filter((each) => each instanceof ArrayBuffer).map((each) => new Int16Array(each)[0]);

test("the first message is the start, with token and without conversation", async () => {
  const { socket } = await started();
  assert.deepEqual(socket.sent, [{ event: "start", version: 1, token: "signed", conversation: null }]);
});

test("a page may have another way to its server than the browser's sockets", async () => {
  const way = new Browser();
  const { browser, link } = await dialled({ openSocket: (address) => new way.WebSocket(address) });
  const [socket] = way.sockets;
  assert.deepEqual([browser.sockets.length, socket.address], [0, "ws://there/voice/"]);
  socket.onopen();
  socket.says("started", { conversation: "c1" });
  link.sound(sound(1));
  assert.deepEqual(numbers(socket), [1]);
});

test("sound before the server has said started is dropped", async () => {
  const { browser, link } = await dialled();
  browser.sockets[0].onopen();
  link.sound(sound(1));
  browser.sockets[0].says("started", { conversation: "c1" });
  link.sound(sound(2));
  assert.deepEqual(numbers(browser.sockets[0]), [2]);
});

test("a lost socket is followed by one with the conversation's id and a token of its own", async () => {
  let count = 0;
  const { browser, socket, names } = await started({ token: () => `token ${(count += 1)}` });
  socket.onclose({ code: 1006 });
  assert.deepEqual(names(), ["started", "lost"]);
  await browser.pass(250);
  browser.sockets[1].onopen();
  const start = { event: "start", version: 1, token: "token 2", conversation: "c1", received: 0, flushes: 0 };
  assert.deepEqual(browser.sockets[1].sent, [start]);
});

test("the next server is told how much sound came since the last flush of the socket before", async () => {
  const { browser, socket } = await started();
  socket.onmessage({ data: new Int16Array(24000).buffer });
  socket.says("flush");
  socket.onmessage({ data: new Int16Array(12000).buffer });
  socket.onclose({ code: 1012 });
  await browser.pass(0);
  browser.sockets[1].onopen();
  const [{ received, flushes }] = browser.sockets[1].sent;
  assert.deepEqual({ received, flushes }, { received: 0.5, flushes: 1 });
});

test("what was said between two sockets is sent on the next, the last two seconds of it", async () => {
  const { browser, link, socket } = await started();
  socket.onclose({ code: 1012 });
  for (let number = 1; number <= HELD + 5; number += 1) link.sound(sound(number));
  await browser.pass(0);
  browser.sockets[1].onopen();
  browser.sockets[1].says("started", { conversation: "c1" });
  assert.deepEqual(numbers(browser.sockets[1]), Array.from({ length: HELD }, (_, at) => at + 6));
  assert.equal(link.stats.dropped, 5);
});

test("a server that comes back is told nothing before its started", async () => {
  const { browser, link, socket } = await started();
  socket.onclose({ code: 1012 });
  link.say({ event: "press" });
  await browser.pass(0);
  link.say({ event: "press" });
  assert.deepEqual(browser.sockets[1].sent, []);
});

test("losses in a row make the pauses longer, a started makes them short again", async () => {
  const { browser, socket } = await started();
  socket.onclose({ code: 1006 });
  await browser.pass(250);
  browser.sockets[1].onclose({ code: 1006 });
  await browser.pass(250);
  assert.equal(browser.sockets.length, 2);
  await browser.pass(250);
  browser.sockets[2].onopen();
  browser.sockets[2].says("started", { conversation: "c1" });
  browser.sockets[2].onclose({ code: 1006 });
  await browser.pass(250);
  assert.equal(browser.sockets.length, 4);
});

test("a network that is there again is tried at once, and nothing else is hurried", async () => {
  const { browser, link, socket } = await started();
  link.hurry();
  assert.equal(browser.sockets.length, 1);
  socket.onclose({ code: 1006 });
  link.hurry();
  await settled();
  assert.equal(browser.sockets.length, 2);
  await browser.pass(5000);
  assert.equal(browser.sockets.length, 2);
});

test("a server that does not answer is left, and tried again", async () => {
  const { browser, names } = await dialled();
  await browser.pass(PATIENCE);
  assert.equal(browser.sockets[0].closed, 1005);
  await browser.pass(500);
  assert.equal(browser.sockets.length, 2);
  assert.deepEqual(names(), []);
});

test("a refusal is told with the server's sentence, once", async () => {
  const { browser, told } = await dialled();
  browser.sockets[0].onopen();
  browser.sockets[0].says("refused", { reason: "authorize", sentence: "Sign in first." });
  browser.sockets[0].onclose({ code: 1008 });
  assert.deepEqual(told, [["failed", "authorize", "Sign in first."]]);
});

test("sound that the network does not take is dropped, and in the end the socket too", async () => {
  const { link, socket, names } = await started();
  socket.bufferedAmount = UNSENT + 1;
  for (let number = 1; number < DEAD; number += 1) link.sound(sound(number));
  assert.deepEqual([numbers(socket), socket.closed], [[], null]);
  link.sound(sound(DEAD));
  assert.equal(socket.closed, 1005);
  assert.deepEqual(names(), ["started", "lost"]);
});

test("a slow moment is no dead socket", async () => {
  const { link, socket } = await started();
  for (let round = 0; round < 3; round += 1) {
    socket.bufferedAmount = UNSENT + 1;
    for (let number = 1; number < DEAD; number += 1) link.sound(sound(number));
    socket.bufferedAmount = 0;
    link.sound(sound(1));
  }
  assert.equal(socket.closed, null);
});

test("a stop is said, and nothing comes after it", async () => {
  const { browser, link, socket, names } = await started();
  link.stop();
  assert.deepEqual([socket.sent.at(-1), socket.closed], [{ event: "stop" }, 1000]);
  socket.onmessage({ data: sound(1) });
  socket.onclose({ code: 1006 });
  link.sound(sound(2));
  await browser.pass(60000);
  assert.deepEqual([names(), browser.sockets.length, numbers(socket)], [["started"], 1, []]);
});

test("a stop while a token is fetched dials nothing", async () => {
  let give;
  const browser = new Browser();
  const link = new Link({ address: "ws://there/", token: () => new Promise((resolve) => (give = resolve)), on: {}, browser });
  const opening = link.open();
  link.stop();
  give("late");
  await opening;
  assert.equal(browser.sockets.length, 0);
});

test("sound and events of the server arrive in their order", async () => {
  const { socket, told } = await started();
  socket.onmessage({ data: sound(1) });
  socket.says("flush");
  socket.onmessage({ data: sound(2) });
  assert.deepEqual(told.slice(1).map(([name, what]) => [name, what.event ?? new Int16Array(what)[0]]), [["sound", 1], ["event", "flush"], ["sound", 2]]);
});

const answer = (status, body = {}) => async () => ({ ok: status < 300, status, json: async () => body });

test("the token's route answers for the socket", async () => {
  assert.equal(await tokenFrom("/voice/token", answer(200, { token: "signed" }))(), "signed");
  const expected = { 401: ["refused"], 403: ["refused"], 429: ["full"], 503: ["full"] };
  for (const [status, problem] of Object.entries(expected)) {
    const { told } = await dialled({ token: tokenFrom("/voice/token", answer(Number(status))) });
    assert.deepEqual(told.map(([, each]) => [each]), [problem]);
  }
});

test("a token that cannot be fetched is fetched again", async () => {
  let tries = 0;
  const route = async () => (++tries === 1 ? answer(500)() : answer(200, { token: "signed" })());
  const { browser } = await dialled({ token: tokenFrom("/voice/token", route) });
  assert.equal(browser.sockets.length, 0);
  await browser.pass(500);
  assert.equal(browser.sockets.length, 1);
});

test("a token's route that fails every time is the server's trouble, and not the network's", async () => {
  const { browser, told } = await dialled({ token: tokenFrom("/voice/token", answer(500)) });
  await browser.pass(1000);
  await browser.pass(2000);
  assert.deepEqual(told.map(([, problem]) => problem), ["server"]);
});

test("an address that no socket can have is as good as nobody there", async () => {
  const { browser, told } = await dialled();
  browser.WebSocket = class {
    constructor() {
      throw new SyntaxError("no such address");
    }
  };
  browser.sockets[0].onclose({ code: 1006 });
  await browser.pass(500);
  await browser.pass(1500);
  assert.deepEqual(told.map(([, problem]) => problem), ["unreachable"]);
});
