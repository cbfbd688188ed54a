// The transcript, as the server's events make it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Transcript } from "../../../genai_live/web/static/transcript.js";

const texts = (transcript) => transcript.entries.map(({ speaker, text }) => `${speaker}: ${text}`);

test("words replace the words of the same utterance so far", () => {
  const transcript = new Transcript();
  for (const text of ["Hel", "Hello", "Hello you"]) transcript.words("user", text, text === "Hello you");
  assert.deepEqual(texts(transcript), ["user: Hello you"]);
});

test("a final utterance is followed by the next", () => {
  const transcript = new Transcript();
  transcript.words("model", "One.", true);
  transcript.words("model", "Two.", false);
  assert.deepEqual(texts(transcript), ["model: One.", "model: Two."]);
});

test("both speak at once, each in an utterance of its own", () => {
  const transcript = new Transcript();
  transcript.words("model", "I thi", false);
  transcript.words("user", "No", false);
  transcript.words("model", "I think", true);
  assert.deepEqual(texts(transcript), ["model: I think", "user: No"]);
});

test("an answer that was spoken over says so, and its last words still join it", () => {
  const transcript = new Transcript();
  transcript.words("model", "It is", false);
  transcript.interrupted();
  transcript.words("model", "It is late", true);
  transcript.words("model", "Sorry.", false);
  assert.deepEqual(transcript.entries.map(({ text, interrupted }) => [text, interrupted]), [["It is late", true], ["Sorry.", false]]);
});

test("of an answer that was spoken over stays what was heard", () => {
  const transcript = new Transcript();
  transcript.words("model", "It is late already", false);
  transcript.interrupted();
  transcript.words("user", "What?", false);
  transcript.words("model", "It is", true);
  transcript.words("model", "It", false);
  assert.deepEqual(texts(transcript), ["model: It is", "user: What?", "model: It"]);
});

test("an answer of which nothing was heard is taken away", () => {
  const transcript = new Transcript();
  transcript.words("model", "It is", false);
  transcript.interrupted();
  assert.equal(transcript.words("model", "", true).text, "");
  assert.deepEqual(transcript.entries, []);
});

test("the last words of one answer do not become those of the next", () => {
  const transcript = new Transcript();
  transcript.words("model", "It is late", false);
  transcript.interrupted();
  transcript.words("model", "Sorry", false);
  transcript.words("model", "It is", true);
  transcript.words("model", "Sorry for that", true);
  assert.deepEqual(texts(transcript), ["model: It is", "model: Sorry for that"]);
});

test("a question that is understood late stands before its answer, and grows there", () => {
  const transcript = new Transcript();
  transcript.words("model", "Hello.", true);
  transcript.words("model", "It is", false);
  const entry = transcript.words("user", "How", true);
  transcript.words("user", "How late is it?", true);
  transcript.words("model", "It is late.", true);
  assert.deepEqual(texts(transcript), ["model: Hello.", "user: How late is it?", "model: It is late."]);
  assert.equal(transcript.after(entry).text, "It is late.");
});

test("the same words said twice are two utterances", () => {
  const transcript = new Transcript();
  for (const final of [false, true, false, true]) transcript.words("user", "Yes.", final);
  assert.deepEqual(texts(transcript), ["user: Yes.", "user: Yes."]);
});

test("an interruption before any word marks nothing", () => {
  assert.equal(new Transcript().interrupted(), null);
});

test("silence makes no entry", () => {
  const transcript = new Transcript();
  assert.equal(transcript.words("user", " ", true), null);
  assert.deepEqual(transcript.entries, []);
});

test("the end of a conversation is the end of what is being said", () => {
  const transcript = new Transcript();
  transcript.words("user", "And th", false);
  transcript.finish();
  assert.ok(transcript.entries[0].final);
});
