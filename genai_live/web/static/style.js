// How the element looks. A constructed style sheet: no inline style, so a strict Content-Security-Policy holds.

/** Names, values in light, values in dark: `--voice-NAME` of the page overrides each. */
const COLOURS = {
  surface: ["#ffffff", "#17191e"],
  text: ["#1b1d22", "#e9eaee"],
  quiet: ["#646a76", "#9aa1ad"],
  line: ["#e3e5ea", "#2b2f37"],
  accent: ["#3b5bdb", "#8aa2ff"],
  "on-accent": ["#ffffff", "#10131c"],
  model: ["#0b8068", "#4fd1b0"],
  bubble: ["#f3f4f7", "#22252c"],
  danger: ["#b42318", "#ff8a7d"],
  "danger-surface": ["#fdf1f0", "#2b1a1a"],
};

const palette = (which) => Object.entries(COLOURS).map(([name, values]) => `--_${name}: var(--voice-${name}, ${values[which]});`).join(" ");

const CSS = `
:host { ${palette(0)}
  --_radius: var(--voice-radius, 18px);
  display: block; max-width: var(--voice-width, 34rem); color-scheme: light dark;
  font: 400 0.9375rem/1.45 var(--voice-font, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif); }
@media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { ${palette(1)} } }
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { ${palette(1)} color-scheme: dark; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; margin: 0; }
[hidden] { display: none !important; }

.card { background: var(--_surface); color: var(--_text); border: 1px solid var(--_line); border-radius: var(--_radius);
  box-shadow: 0 1px 2px rgb(0 0 0 / 0.04), 0 8px 24px rgb(0 0 0 / 0.05); overflow: hidden; }

.transcript { list-style: none; padding: 16px 16px 4px; max-height: var(--voice-height, 20rem); overflow-y: auto; overscroll-behavior: contain;
  display: flex; flex-direction: column; gap: 8px; scrollbar-width: thin; scrollbar-color: var(--_line) transparent; }
.entry { max-width: 85%; padding: 7px 12px; border-radius: 14px; overflow-wrap: anywhere; white-space: pre-line; }
.entry.user { align-self: flex-end; background: color-mix(in srgb, var(--_accent) 13%, var(--_surface)); border-bottom-right-radius: 5px; }
.entry.model { align-self: flex-start; background: var(--_bubble); border-bottom-left-radius: 5px; }
.entry.open .text { opacity: 0.75; }
.note { color: var(--_quiet); font-size: 0.8125rem; }
.entry .text { margin-right: 0.75em; }
.entry .text:last-child { margin-right: 0; }
.entry .note { display: inline-block; }
li.note { align-self: center; text-align: center; padding: 2px 12px; }
.speaker { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.problem { margin: 12px 12px 0; padding: 9px 12px; border-radius: 12px; color: var(--_danger); background: var(--_danger-surface);
  font-size: 0.875rem; }
.problem.calm { color: var(--_text); background: var(--_bubble); }

.bar { display: flex; align-items: center; gap: 12px; padding: 12px; }
.middle { flex: 1; min-width: 0; }
.hint { color: var(--_text); }
.status { color: var(--_quiet); font-size: 0.8125rem; line-height: 1.3; min-height: 1.3em; }
.status:empty { min-height: 0; }
.levels { display: block; width: 100%; height: 26px; }

button { appearance: none; border: 0; padding: 0; background: none; font: inherit; color: inherit; cursor: pointer; flex: none; display: grid; place-items: center;
  border-radius: 50%; touch-action: none; user-select: none; -webkit-user-select: none; -webkit-tap-highlight-color: transparent;
  transition: background-color 0.15s, color 0.15s, transform 0.15s, box-shadow 0.15s; }
button:focus-visible, .transcript:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.transcript:focus-visible { outline-offset: -3px; border-radius: var(--_radius); }
.primary { width: 48px; height: 48px; background: var(--_accent); color: var(--_on-accent); }
.primary:hover { background: color-mix(in srgb, var(--_accent) 88%, var(--_text)); }
.primary.stops { background: color-mix(in srgb, var(--_accent) 14%, var(--_surface)); color: var(--_accent); }
.primary.stops:hover { background: color-mix(in srgb, var(--_accent) 22%, var(--_surface)); }
.primary.pressed { transform: scale(0.94); box-shadow: 0 0 0 6px color-mix(in srgb, var(--_accent) 22%, transparent); }
.secondary { width: 36px; height: 36px; color: var(--_quiet); }
.secondary:hover { background: var(--_bubble); color: var(--_text); }
.secondary[aria-pressed="true"] { background: var(--_danger-surface); color: var(--_danger); }
svg { width: 22px; height: 22px; display: block; }
.secondary svg { width: 19px; height: 19px; }

:host([state="connecting"]) .primary, :host([state="reconnecting"]) .primary { animation: breathe 1.6s ease-in-out infinite; }
@keyframes breathe { 50% { opacity: 0.55; } }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
@media (forced-colors: active) { .card, .entry, button { border: 1px solid; } }
`;

export const SHEET = new CSSStyleSheet();
SHEET.replaceSync(CSS);
