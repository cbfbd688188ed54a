// The table of states.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SENTENCES } from "../../../genai_live/web/static/sentences.js";
import { TABLE, after, running } from "../../../genai_live/web/static/states.js";

const RUNNING = ["connecting", "listening", "hearing", "waiting", "speaking", "reconnecting"];
const AT_REST = ["idle", "ended", "failed"];

test("every state that the table leads to is one of its own", () => {
  assert.deepEqual(Object.keys(TABLE).sort(), [...RUNNING, ...AT_REST].sort());
  for (const happenings of Object.values(TABLE)) for (const next of Object.values(happenings)) assert.ok(next in TABLE);
});

test("a conversation runs from its start to stop, end or failure, whatever its state", () => {
  for (const state of RUNNING) {
    assert.ok(running(state));
    assert.deepEqual([after(state, "stop"), after(state, "ended"), after(state, "failed")], ["ended", "ended", "failed"]);
    assert.equal(after(state, "start"), state);
  }
});

test("at rest nothing but a start happens, late words of the server included", () => {
  for (const state of AT_REST) {
    assert.ok(!running(state));
    assert.equal(after(state, "start"), "connecting");
    for (const late of ["speaking", "lost", "stop", "failed"]) assert.equal(after(state, late), state);
  }
});

test("a state that nobody knows changes nothing", () => {
  assert.equal(after("listening", "dreaming"), "listening");
});

test("each state but the first has a sentence", () => {
  for (const state of Object.keys(TABLE)) assert.ok(state === "idle" || SENTENCES[state], state);
});
