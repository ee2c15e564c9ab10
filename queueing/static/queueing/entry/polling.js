// Polling of status.json. It replaces the socket where none opens, and it brings the page's new part where that is too
// long for a frame.

import { now, since, Timer } from "./clock.js";

const INTERVAL = 5_000;
const TIMEOUT = 8_000;
const LONG_TIMEOUT = 90_000; // a long result over a slow line
const PART_RETRY = 2_000;

export class Polling {
  #visit;
  #isAsking = false;
  #wantsPart = false; // the page's new part is needed, which no frame will bring
  #askedAt = null;
  #gap = INTERVAL; // from one poll to the next
  #timer = new Timer();

  // The visit is told of each answer (answered) and of each failure (lost).
  constructor(visit) {
    this.#visit = visit;
  }

  // Nothing to ask while a socket delivers, unless the page's new part is missing.
  get isNeeded() {
    return this.#visit.isOngoing && (this.#wantsPart || !this.#visit.connection.isLive);
  }

  soon(delay = Math.max(0, this.#gap - since(this.#askedAt))) {
    this.#timer.start(delay, () => this.ask());
  }

  stop() {
    this.#timer.stop();
  }

  askForPart() {
    this.#wantsPart = true;
    this.ask();
  }

  async ask() {
    this.stop();
    if (!this.isNeeded || this.#isAsking) return;
    // The part may become wanted while this answer is on its way; the answer may then be from before the change.
    const askedForPart = this.#wantsPart;
    this.#isAsking = true;
    this.#askedAt = now();
    try {
      const state = await this.#fetch(askedForPart ? LONG_TIMEOUT : TIMEOUT);
      this.#gap = INTERVAL;
      if (this.isNeeded && this.#wantsPart === askedForPart) {
        this.#wantsPart = false;
        this.#visit.answered(state);
      }
    } catch (error) {
      // A busy server turns thousands of pages away, and would do nothing else if all asked again after 5 s. An answer
      // counts as presence for 25 s; so the next try comes within it, and after a second failure the page may be held.
      this.#gap = INTERVAL * (1 + 2 * Math.random());
      if (!this.#visit.connection.isLive) this.#visit.lost(undefined, error.cause);
    }
    this.#isAsking = false;
    if (!this.isNeeded) return;
    if (this.#wantsPart) this.soon(askedForPart ? PART_RETRY : 0);
    else this.soon();
  }

  // One question about an entry that is over. Without an answer the page stays as it is.
  async askOnce() {
    if (since(this.#askedAt) < INTERVAL) return;
    this.#askedAt = now();
    const state = await this.#fetch(TIMEOUT).catch(() => null);
    if (state) this.#visit.answered(state);
  }

  async #fetch(timeout) {
    const signal = AbortSignal.timeout(timeout);
    const answer = await fetch(this.#visit.statusAddress, { cache: "no-store", signal });
    if (answer.status === 404) return this.#reload();
    if (!answer.ok) throw new Error("", { cause: causeOf(answer) });
    return answer.json();
  }

  // The entry has been deleted, or is not the visitor's to see any more, and the server has a page that says so. Nothing
  // goes on here until that page is there.
  #reload() {
    location.reload();
    return new Promise(() => {});
  }
}

// The site has answered, and has not told the state of the entry.
function causeOf({ status, headers }) {
  if (status > 500) return "The site has too much to do, or is being restarted.";
  if (status < 500) return `The site refuses to answer (${status}).`;
  // A proxy that answers in the site's place gives none.
  return `Something broke on our side. Reference ${headers.get("X-Reference") || "?"}.`;
}
