// What both sides said, as the server's events tell it. Pure.

/** A list of `{speaker, text, final, interrupted}`, oldest first. */
export class Transcript {
  entries = [];

  /** Takes the words of an utterance so far; returns its entry, or null when they say nothing. */
  words(speaker, text, final) {
    const last = this.entries.findLast((each) => each.speaker === speaker);
    const spokenOver = last?.interrupted && text.startsWith(last.text); // its last words came after the interruption
    const entry = last && (!last.final || spokenOver) ? last : null;
    if (!entry && !text.trim()) return null;
    if (entry) return Object.assign(entry, { text, final: final || entry.interrupted });
    this.entries.push({ speaker, text, final, interrupted: false });
    return this.entries.at(-1);
  }

  /** The model's last utterance was spoken over; returns its entry, or null when there is none. */
  interrupted() {
    const entry = this.entries.findLast((each) => each.speaker === "model") ?? null;
    if (entry) Object.assign(entry, { interrupted: true, final: true });
    return entry;
  }

  /** Nothing more comes for what is open. */
  finish() {
    for (const each of this.entries) each.final = true;
  }
}
