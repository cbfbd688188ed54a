// The microphone's messages: 40 ms each, 16-bit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MessagesOfSound, SAMPLES } from "../../../genai_live/web/static/messages-of-sound.js";

test("blocks of any size become messages of 1,280 bytes in their order", () => {
  const gathering = new MessagesOfSound();
  const messages = [];
  for (let at = 0; at < 20; at += 1) messages.push(...gathering.push(new Float32Array(128).fill(at / 32768)));
  assert.deepEqual(messages.map((each) => each.byteLength), [1280, 1280, 1280, 1280]);
  const samples = messages.flatMap((each) => [...each]);
  assert.ok(samples.every((each, at) => each === Math.floor(at / 128)));
});

test("a block may complete several messages", () => {
  assert.equal(new MessagesOfSound().push(new Float32Array(3 * SAMPLES + 1)).length, 3);
});

test("a message stays as it is when the next is gathered", () => {
  const gathering = new MessagesOfSound();
  const [first] = gathering.push(new Float32Array(SAMPLES).fill(0.5));
  gathering.push(new Float32Array(SAMPLES));
  assert.ok(first.every((each) => each === 16384));
});

test("what is louder than 16 bits can hold is cut off, and does not turn over", () => {
  const [message] = new MessagesOfSound().push(Float32Array.from({ length: SAMPLES }, (_, at) => (at % 2 ? 1.5 : -1.5)));
  assert.deepEqual([...new Set(message)], [-32768, 32767]);
});
