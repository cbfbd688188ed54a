// Whether a socket that closed is opened again, and when. Pure.

/** Milliseconds before each attempt after a loss, in a conversation and before one; after the last the page gives up. */
export const PAUSES = {
  within: [250, 500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000, 8000],
  before: [500, 1500],
};
const SPREAD = 0.3; // of a pause, by chance: all pages lose a server in the same moment

/** Codes from 4000 mean those from 1000: some servers send no others. */
const PRIVATE = 3000;

const RESTART = 1012;
const FULL = 1013;
const AGAIN = { busy: "within" }; // refusals that pass: another worker still holds the conversation

/**
 * What the close codes of RFC 6455 mean here, where no refusal came before; any other is a loss. Whoever broke the protocol of
 * WebSockets itself hears no more than a code, and would break it again.
 */
export const ENDS = { 1002: "protocol", 1003: "protocol", 1007: "protocol", 1008: "refused", 1009: "protocol", 1011: "server" };

/**
 * What follows a close.
 *
 * @param {{code: number, refusal: ?string, started: boolean, attempt: number}} close `refusal`: the reason that the server gave;
 *   `started`: whether there is a conversation to come back to; `attempt`: losses in a row before this one
 * @param {() => number} chance from 0 to 1
 * @returns {{again: number} | {ended: ?string} | {problem: string}} `again`: milliseconds until the next attempt; `ended`: why, if not for
 *   the visitor's sake
 */
export function afterClose({ code: sent, refusal, started, attempt }, chance = Math.random) {
  const code = sent < 4000 ? sent : sent - PRIVATE;
  if (code === 1000) return { ended: refusal };
  if (code === FULL && !started) return { problem: "full" };
  if (code in ENDS && !AGAIN[refusal]) return { problem: refusal ?? ENDS[code] };
  if (code === RESTART && attempt === 0) return { again: 0 };
  const pause = PAUSES[started || AGAIN[refusal] ? "within" : "before"][attempt];
  if (pause === undefined) return { problem: code === FULL ? "full" : refusal ?? (started ? "lost" : "unreachable") };
  return { again: pause * (1 + SPREAD * chance()) };
}
