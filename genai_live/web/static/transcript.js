// What both sides said, as the server's events tell it. Pure.

const related = (one, other) => one.startsWith(other) || other.startsWith(one);

/** A list of `{speaker, text, final, interrupted}`, in the order in which it was said. */
export class Transcript {
  entries = [];
  #open = new Set(); // entries whose last words have not come

  /** Takes the words of an utterance so far; returns its entry, without words when nothing of it was heard; or null. */
  words(speaker, text, final) {
    const entry = this.#of(speaker, text, final);
    if (!entry) return text.trim() ? this.#begin(speaker, text, final) : null;
    Object.assign(entry, { text, final: final || entry.final });
    if (final) this.#open.delete(entry);
    if (!text.trim()) this.entries.splice(this.entries.indexOf(entry), 1);
    return entry;
  }

  /** The answer was spoken over; returns its entry, or null when nobody has read a word of it. */
  interrupted() {
    const entry = this.entries.findLast(({ speaker }) => speaker === "model") ?? null;
    if (entry) Object.assign(entry, { interrupted: true, final: true });
    return entry;
  }

  /** Nothing more comes for what is open. */
  finish() {
    this.#open.clear();
    for (const each of this.entries) each.final = true;
  }

  /** The entry that stands after another one, or null. */
  after(entry) {
    return this.entries[this.entries.indexOf(entry) + 1] ?? null;
  }

  /** The utterance that words belong to, or null for a new one. */
  #of(speaker, text, final) {
    const own = this.entries.filter((each) => each.speaker === speaker);
    const open = own.filter((each) => this.#open.has(each));
    // Of an answer that was spoken over only the last words still come: as much as was heard.
    if (final) return open.find((each) => related(each.text, text)) ?? open.at(-1) ?? this.#understoodLate(own.at(-1), text);
    return open.findLast((each) => !each.interrupted) ?? null;
  }

  /** What the service understands late is final from its first word on, and grows. */
  #understoodLate(last, text) {
    return last?.final && text !== last.text && text.startsWith(last.text) && last.speaker === "user" ? last : null;
  }

  #begin(speaker, text, final) {
    const entry = { speaker, text, final, interrupted: false };
    const answer = this.entries.length - 1;
    const isAnswered = speaker === "user" && final && this.#open.has(this.entries[answer]);
    const unasked = isAnswered && this.entries[answer].speaker === "model" && this.entries[answer - 1]?.speaker !== "user";
    this.entries.splice(unasked ? answer : answer + 1, 0, entry); // before the answer to it, which has begun
    if (!final) this.#open.add(entry);
    return entry;
  }
}
