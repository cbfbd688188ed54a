// Whether the page comes back after a close, and when.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ENDS, PAUSES, afterClose } from "../../../genai_live/web/static/reconnection.js";
import { SENTENCES } from "../../../genai_live/web/static/sentences.js";

const closed = (code, rest = {}, chance = () => 0) => afterClose({ code, refusal: null, started: true, attempt: 0, ...rest }, chance);

test("a conversation that has ended is over", () => {
  assert.deepEqual(closed(1000), { ended: null });
  assert.deepEqual(closed(1000, { refusal: "idle" }), { ended: "idle" });
});

test("a server that moves is visited again at once, and then with pauses", () => {
  assert.deepEqual(closed(1012), { again: 0 });
  assert.deepEqual(closed(1012, { attempt: 1 }), { again: PAUSES.within[1] });
});

test("private codes mean those that some servers do not send", () => {
  assert.deepEqual(closed(4012), { again: 0 });
  assert.deepEqual(closed(4008, { refusal: "origin" }), { problem: "origin" });
  assert.deepEqual(closed(4011), closed(1011));
});

test("a lost socket is opened again with pauses that grow, and in the end no more", () => {
  const pauses = PAUSES.within.map((_, attempt) => closed(1006, { attempt }).again);
  assert.deepEqual(pauses, [...pauses].sort((a, b) => a - b));
  assert.ok(pauses[0] <= 500);
  const whole = pauses.reduce((a, b) => a + b) / 1000;
  assert.ok(whole > 30 && whole < 120, `${whole} s`);
  assert.deepEqual(closed(1006, { attempt: PAUSES.within.length }), { problem: "lost" });
});

test("a server that was never there is given up soon", () => {
  const before = { started: false, attempt: PAUSES.before.length };
  assert.deepEqual(closed(1006, before), { problem: "unreachable" });
});

test("pages do not all come back in the same moment", () => {
  const [soonest, latest] = [closed(1006, {}, () => 0).again, closed(1006, {}, () => 1).again];
  assert.ok(latest > 1.2 * soonest && latest < 1.5 * soonest);
});

test("a server that is full is told at once before a conversation, and waited for within one", () => {
  assert.deepEqual(closed(1013, { started: false }), { problem: "full" });
  assert.ok("again" in closed(1013));
  assert.deepEqual(closed(1013, { attempt: PAUSES.within.length }), { problem: "full" });
});

test("a refusal is told with its reason, and not tried again", () => {
  for (const refusal of ["token", "origin", "server"]) assert.deepEqual(closed(1008, { refusal }), { problem: refusal });
  assert.deepEqual(closed(1008), { problem: "refused" });
});

test("a conversation that another worker still holds is asked for again", () => {
  assert.ok("again" in closed(1008, { refusal: "busy" }));
  assert.deepEqual(closed(1008, { refusal: "elsewhere" }), { problem: "elsewhere" });
  assert.deepEqual(closed(1008, { refusal: "busy", attempt: PAUSES.within.length }), { problem: "busy" });
});

test("a failure of the server is told", () => {
  assert.deepEqual(closed(1011), { problem: "server" });
});

test("a page that broke the protocol is told by the code alone, and does not come back to break it again", () => {
  for (const code of [1002, 1003, 1007, 1009, 4002, 4007, 4009]) {
    for (const started of [false, true]) assert.deepEqual(closed(code, { started }), { problem: "protocol" });
  }
});

test("each problem has a sentence", () => {
  const refusals = ["full", "lost", "unreachable", "token", "origin", "busy", "elsewhere", "rate", "start"];
  for (const problem of [...refusals, ...Object.values(ENDS)]) assert.ok(SENTENCES[problem], problem);
});
