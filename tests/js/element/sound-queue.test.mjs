// The queue of the loudspeaker: what is heard, what is dropped, what is counted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LEAD_SECONDS, PATIENCE_SECONDS, SoundQueue } from "../../../genai_live/web/static/sound-queue.js";

const RATE = 24000;
const LEAD = LEAD_SECONDS * RATE;
const QUANTUM = 128;

/** Samples of which each tells its place. */
const numbered = (count, first = 1) => Int16Array.from({ length: count }, (_, at) => first + at);
const pull = (queue, count = QUANTUM) => {
  const output = new Float32Array(count);
  return [...output.subarray(0, queue.pull(output))].map((each) => each * 32768);
};
const ready = (samples) => {
  const queue = new SoundQueue(RATE);
  queue.push(samples);
  queue.endOfAnswer();
  return queue;
};

test("what goes in comes out, sample by sample, whatever the sizes of the messages", () => {
  const queue = new SoundQueue(RATE);
  for (let first = 1, size = 1; first < 10000; first += size, size = (size * 7) % 961) queue.push(numbered(size, first));
  queue.endOfAnswer();
  const waiting = queue.waiting;
  const heard = [];
  while (queue.waiting > 0) heard.push(...pull(queue));
  assert.deepEqual(heard, [...numbered(waiting)]);
  assert.equal(queue.played, waiting);
});

test("what runs empty within a block is silence after its last sample", () => {
  const output = new Float32Array(QUANTUM).fill(1);
  assert.equal(ready(numbered(100)).pull(output), 100);
  assert.ok(output.subarray(100).every((each) => each === 0));
});

test("an answer begins when its lead is there, and at once when it is shorter", () => {
  const queue = new SoundQueue(RATE);
  queue.push(numbered(LEAD - 1));
  assert.deepEqual(pull(queue), []);
  queue.push(numbered(1));
  assert.equal(pull(queue).length, QUANTUM);
  assert.deepEqual(pull(ready(numbered(5))), [1, 2, 3, 4, 5]);
});

test("a lead that never comes is not waited for", () => {
  const queue = new SoundQueue(RATE);
  queue.push(numbered(5));
  let blocks = 0;
  while (pull(queue).length === 0) blocks += 1;
  assert.ok(Math.abs((blocks * QUANTUM) / RATE - PATIENCE_SECONDS) < 0.01);
});

test("no sample is heard after a flush, and the count stands where it stood", () => {
  const queue = ready(numbered(1000));
  pull(queue);
  queue.flush();
  assert.deepEqual(pull(queue), []);
  assert.deepEqual([queue.played, queue.waiting], [QUANTUM, 0]);
});

test("what comes after a flush is heard", () => {
  const queue = ready(numbered(1000));
  pull(queue);
  queue.flush();
  queue.push(numbered(3, 7));
  queue.endOfAnswer();
  assert.deepEqual(pull(queue), [7, 8, 9]);
});

test("sound of an earlier socket is heard, and counted for nobody", () => {
  const queue = ready(numbered(200));
  pull(queue);
  queue.begin();
  queue.push(numbered(300, 1000));
  queue.endOfAnswer();
  assert.equal(pull(queue).length + pull(queue).length, 2 * QUANTUM);
  assert.equal(queue.played, 2 * QUANTUM - 72);
});

test("a flush forgets the sound of an earlier socket too", () => {
  const queue = ready(numbered(200));
  queue.begin();
  queue.flush();
  queue.push(numbered(10));
  queue.endOfAnswer();
  pull(queue);
  assert.equal(queue.played, 10);
});

test("running empty within an answer is an underrun, at its end it is none", () => {
  const queue = new SoundQueue(RATE);
  queue.push(numbered(LEAD));
  while (pull(queue).length > 0);
  assert.equal(queue.state, "dry");
  queue.push(numbered(LEAD));
  assert.equal(queue.underruns, 1);
  queue.endOfAnswer();
  while (pull(queue).length > 0);
  queue.push(numbered(LEAD));
  assert.equal(queue.underruns, 1);
});

test("an end that comes after the last sample was heard makes no underrun of it", () => {
  const queue = new SoundQueue(RATE);
  queue.push(numbered(LEAD));
  while (pull(queue).length > 0);
  queue.endOfAnswer();
  queue.push(numbered(LEAD));
  assert.equal(queue.underruns, 0);
});

test("ten minutes of an answer go in and out in little time", () => {
  const queue = new SoundQueue(RATE);
  for (let message = 0; message < 15000; message += 1) queue.push(new Int16Array(960));
  queue.endOfAnswer();
  const output = new Float32Array(QUANTUM);
  const begin = performance.now();
  while (queue.waiting > 0) queue.pull(output);
  assert.equal(queue.played, 600 * RATE);
  assert.ok(performance.now() - begin < 10000); // a hundredth of the time in which it is heard
});

test("a message without samples changes nothing", () => {
  const queue = new SoundQueue(RATE);
  queue.push(new Int16Array(0));
  assert.deepEqual([queue.state, queue.waiting], ["idle", 0]);
});
