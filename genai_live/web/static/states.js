// What the element does now, as a table. Pure.

const WHILE_RUNNING = {
  // told by the server: the states of its conversation
  connecting: "connecting",
  listening: "listening",
  hearing: "hearing",
  waiting: "waiting",
  speaking: "speaking",
  reconnecting: "reconnecting",
  // seen by the page
  started: "listening",
  lost: "reconnecting",
  ended: "ended",
  stop: "ended",
  failed: "failed",
};
const AT_REST = { start: "connecting" };

/** The next state for each state and what happens in it; what has no entry changes nothing. */
export const TABLE = {
  idle: AT_REST,
  connecting: WHILE_RUNNING,
  listening: WHILE_RUNNING,
  hearing: WHILE_RUNNING,
  waiting: WHILE_RUNNING,
  speaking: WHILE_RUNNING,
  reconnecting: WHILE_RUNNING,
  ended: AT_REST,
  failed: AT_REST,
};

/** The state after `happening`; `state` itself when that changes nothing. */
export function after(state, happening) {
  return TABLE[state][happening] ?? state;
}

/** Whether microphone and socket are wanted in a state. */
export function running(state) {
  return TABLE[state] === WHILE_RUNNING;
}
