// Rates: a microphone of any rate becomes 16 kHz with its sound, without what 16 kHz cannot hold.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Resampler } from "../../../genai_live/web/static/resampling.js";

const QUANTUM = 128;
const tone = (hz, rate, seconds = 1) => Float32Array.from({ length: rate * seconds }, (_, at) => 0.5 * Math.sin((2 * Math.PI * hz * at) / rate));

function convert(samples, from, to, block = QUANTUM) {
  const resampler = new Resampler(from, to);
  const output = [];
  for (let first = 0; first < samples.length; first += block) output.push(...resampler.convert(samples.subarray(first, first + block)));
  return output;
}

/** The amplitude of one frequency, of what is left when the filter has settled. */
function amplitude(samples, hz, rate) {
  const settled = samples.slice(rate / 10);
  let [real, imaginary] = [0, 0];
  settled.forEach((sample, at) => {
    const angle = (2 * Math.PI * hz * at) / rate;
    real += sample * Math.cos(angle);
    imaginary += sample * Math.sin(angle);
  });
  return (2 * Math.hypot(real, imaginary)) / settled.length;
}

for (const from of [8000, 11025, 22050, 32000, 44100, 47999, 48000, 96000]) {
  test(`a tone at ${from} Hz is the same tone at 16,000 Hz, and lasts as long`, () => {
    const output = convert(tone(1000, from), from, 16000);
    assert.ok(Math.abs(output.length - 16000) < 40, `${output.length}`);
    assert.ok(Math.abs(amplitude(output, 1000, 16000) - 0.5) < 0.005, `${amplitude(output, 1000, 16000)}`);
  });
}

for (const hz of [9000, 12000, 15000, 20000]) {
  test(`${hz} Hz of a microphone of 48,000 Hz do not fold back`, () => {
    const output = convert(tone(hz, 48000), 48000, 16000);
    const loudest = Math.max(...output.slice(1600).map(Math.abs));
    assert.ok(loudest < 0.5 / 1000, `${loudest}`);
  });
}

test("the blocks in which samples come change nothing", () => {
  const samples = tone(700, 44100, 0.2);
  assert.deepEqual(convert(samples, 44100, 16000, 128), convert(samples, 44100, 16000, 441));
  assert.deepEqual(convert(samples, 44100, 16000, 128), convert(samples, 44100, 16000, samples.length));
});

test("the highest sounds of speech pass", () => {
  assert.ok(Math.abs(amplitude(convert(tone(6500, 48000), 48000, 16000), 6500, 16000) - 0.5) < 0.01);
});

test("it delays by no more than 2.5 ms", () => {
  const click = new Float32Array(4800);
  click[2400] = 1;
  const output = convert(click, 48000, 16000);
  const loudest = output.indexOf(Math.max(...output));
  assert.ok(loudest - 800 <= 40, `${loudest - 800} samples`);
});

test("equal rates pass through", () => {
  const block = tone(100, 16000, 0.01);
  assert.equal(new Resampler(16000, 16000).convert(block), block);
});
