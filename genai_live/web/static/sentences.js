// All words that a visitor reads, one sentence for each state and each problem. Data; `element.sentences` replaces any of them.

export const SENTENCES = {
  // what the buttons do
  start: "Start talking",
  stop: "Stop",
  hold: "Hold to talk",
  mute: "Switch the microphone off",
  unmute: "Switch the microphone on",

  // states
  connecting: "Connecting…",
  listening: "Listening",
  hearing: "Listening to you",
  waiting: "Thinking…",
  speaking: "Speaking",
  reconnecting: "Connection lost, reconnecting…",
  ended: "Conversation ended",
  failed: "Not connected",
  muted: "Microphone off",
  ready: "Hold the button, or the space bar, while you talk",

  // the transcript
  transcript: "Transcript",
  user: "You",
  model: "Assistant",
  interrupted: "interrupted",
  forgotten: "The connection was renewed; the assistant may not remember what was said before.",

  // problems
  microphone_refused: "The microphone is blocked. Allow it in the browser's address bar, then try again.",
  microphone_missing: "No microphone was found. Connect one, then try again.",
  microphone_busy: "The microphone cannot be used. Close other programs that use it, then try again.",
  microphone_lost: "The microphone was disconnected. Connect one, then try again.",
  sound_missing: "The browser starts no sound. Connect a loudspeaker or headphones, then try again.",
  insecure: "This page was not loaded over https, so the browser gives it no microphone.",
  unsupported: "This browser cannot record sound on this page. Try a current version of Chrome, Edge, Firefox or Safari.",
  lost: "The connection was lost and could not be made again. Check your network, then try again.",
  unreachable: "The server cannot be reached. Check your network, then try again.",
  full: "All lines are busy. Try again in a minute.",
  token: "This page has expired. Reload it, then try again.",
  origin: "This page may not talk to this server.",
  idle: "The conversation ended because nobody spoke for a while. Start it again to go on.",
  time: "The conversation has reached its longest time. Start another one to go on.",
  conversation: "This conversation cannot be taken up again. Start another one.",
  elsewhere: "The conversation goes on in another window.",
  busy: "This conversation is open in another window.",
  rate: "This page sent more than anybody says. Reload it, then try again.",
  protocol: "This page and its server do not understand each other. Reload it, then try again.",
  silent: "The page said nothing. Reload it, then try again.",
  refused: "You may not talk here. Log in, then try again.",
  server: "The server had a problem and ended the conversation. Try again.",
};
