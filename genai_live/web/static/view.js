// What a visitor sees and presses: buttons, levels, transcript, sentences. On the page's thread; decides nothing.

import { Levels } from "./levels.js";
import { running } from "./states.js";
import { SHEET } from "./style.js";

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  microphone: ["M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3Z", "M6 11a6 6 0 0 0 12 0", "M12 17v4"],
  silenced: ["M15 9.5V6a3 3 0 0 0-5.8-1.1", "M9 9v2a3 3 0 0 0 4.6 2.5", "M6 11a6 6 0 0 0 9.5 4.9M18 11c0 .9-.2 1.7-.5 2.5", "M12 17v4", "M4 4l16 16"],
  stop: ["M8 7h8a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1Z"],
  leave: ["M7 7l10 10M17 7L7 17"],
};
const AT_THE_END = 24; // pixels: whoever has scrolled further up is reading, and is not moved

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const drawn = { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.8", "stroke-linecap": "round" };
  for (const [key, value] of Object.entries({ ...drawn, "stroke-linejoin": "round", "aria-hidden": "true" })) svg.setAttribute(key, value);
  for (const line of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", line);
    if (name === "stop") path.setAttribute("fill", "currentColor");
    svg.append(path);
  }
  return svg;
}

/** One part of the element, which `::part(name)` styles. */
function part(tag, name, attributes = {}, ...children) {
  return make(tag, { class: name, part: name, ...attributes }, ...children);
}

function setButton(button, name, label) {
  if (button.dataset.icon !== name) button.replaceChildren(icon(name));
  button.dataset.icon = name;
  button.setAttribute("aria-label", label);
  button.title = label;
}

/** The shadow tree of one element. */
export class View {
  #log = part("ol", "transcript", { role: "log", "aria-live": "polite", tabindex: "0" });
  #problem = part("p", "problem", { role: "alert" });
  #hint = part("p", "hint", {}, make("slot"));
  #canvas = part("canvas", "levels", { "aria-hidden": "true" });
  #status = part("p", "status", { role: "status" });
  #entries = new Map(); // each entry of the transcript, and its list item
  #sentences;
  #levels;

  primary = part("button", "primary", { type: "button" });
  mute = part("button", "secondary", { type: "button" });
  leave = part("button", "secondary", { type: "button" });

  constructor(root, sentences, levels) {
    this.#sentences = sentences;
    this.#levels = new Levels(this.#canvas, levels);
    const middle = part("div", "middle", {}, this.#hint, this.#canvas, this.#status);
    const bar = part("div", "bar", {}, this.primary, middle, this.mute, this.leave);
    root.adoptedStyleSheets = [SHEET];
    root.append(part("section", "card", {}, this.#log, this.#problem, bar));
    this.#hint.firstChild.textContent = sentences("start");
    this.mute.part.add("mute");
    this.leave.part.add("leave");
  }

  /** Shows `{state, holds, pressed, muted, problem}`; `holds`: the button is held while the visitor talks. */
  show({ state, holds, pressed, muted, problem }) {
    const say = this.#sentences;
    const live = running(state);
    const stops = live && !holds;
    setButton(this.primary, stops ? "stop" : "microphone", say(stops ? "stop" : live ? "hold" : "start"));
    this.primary.classList.toggle("stops", stops);
    this.primary.classList.toggle("pressed", pressed);
    if (live && holds) this.primary.setAttribute("aria-pressed", String(pressed));
    else this.primary.removeAttribute("aria-pressed");
    setButton(this.mute, muted ? "silenced" : "microphone", say(muted ? "unmute" : "mute"));
    this.mute.setAttribute("aria-pressed", String(muted));
    setButton(this.leave, "leave", say("stop"));
    this.mute.hidden = !stops;
    this.leave.hidden = !(live && holds);
    this.#canvas.hidden = !live;
    this.#hint.hidden = live;
    this.#status.textContent = this.#statusOf(state, holds, pressed, muted);
    this.#problem.textContent = problem;
    this.#problem.hidden = !problem;
    this.#problem.classList.toggle("calm", state === "ended");
    this.#log.setAttribute("aria-label", say("transcript"));
    this.#log.hidden = this.#log.childElementCount === 0;
    if (live) this.#levels.start();
    else this.#levels.stop();
  }

  #statusOf(state, holds, pressed, muted) {
    const say = this.#sentences;
    if (state === "idle" || state === "failed") return ""; // the problem's sentence says it
    if (state === "listening" && muted) return say("muted");
    if (state === "listening" && holds) return say(pressed ? "hearing" : "ready");
    return say(state);
  }

  /** Shows an entry of the transcript as it is now, before another one or at the end; without words it is taken away. */
  entry(entry, next = null) {
    let item = this.#entries.get(entry);
    if (!item) {
      item = part("li", "entry", {}, make("span", { class: "speaker" }, `${this.#sentences(entry.speaker)}: `), make("span", { class: "text" }));
      item.classList.add(entry.speaker);
      item.part.add(entry.speaker);
      this.#entries.set(entry, item);
      this.#add(item, this.#entries.get(next));
    }
    if (!entry.text.trim()) {
      this.#entries.delete(entry);
      item.remove();
    }
    item.children[1].textContent = entry.text.trim();
    item.classList.toggle("open", !entry.final);
    if (entry.interrupted && item.childElementCount === 2) item.append(part("span", "note", {}, this.#sentences("interrupted")));
    // Words come by the syllable; whoever hears the region read out is told whole utterances.
    this.#log.setAttribute("aria-busy", String([...this.#entries.keys()].some((each) => !each.final)));
    this.#follow();
  }

  /** Adds a remark between utterances. */
  note(text) {
    this.#add(part("li", "note", {}, text));
  }

  /** Forgets the transcript. */
  clear() {
    this.#entries.clear();
    this.#log.replaceChildren();
  }

  #add(item, next = null) {
    this.#log.hidden = false;
    this.#log.insertBefore(item, next);
    this.#follow(item.offsetHeight);
  }

  #follow(grown = 0) {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    if (scrollHeight - scrollTop - clientHeight <= AT_THE_END + grown + 40) this.#log.scrollTop = scrollHeight;
  }
}
