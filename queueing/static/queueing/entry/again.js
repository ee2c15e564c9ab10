// "Join again" after an end: how long the input is kept for it, and the end of the button.

import { now, since, Timer } from "./clock.js";
import { keepFocus } from "./page.js";

const LATE = 1_000; // milliseconds after the end at which the server is asked for its new sentence

export class Again {
  #visit;
  #root;
  #toldAt;
  #timer = new Timer();

  constructor(visit, root) {
    this.#visit = visit;
    this.#root = root;
  }

  // The server has said for how many seconds "Join again" works; null: it does not.
  show() {
    this.#toldAt = now();
    this.tick();
  }

  // Also called when the page is looked at again: in a hidden tab the browser holds back timers.
  tick() {
    const { again_seconds: told } = this.#visit.state;
    const left = Math.ceil(told - since(this.#toldAt) / 1000);
    keepFocus(() => {
      for (const part of this.#root.querySelectorAll("[data-again]")) {
        part.hidden = left <= 0;
        const clock = part.querySelector("span");
        if (clock) clock.textContent = duration(left);
      }
    });
    if (left > 0) this.#timer.start(1_000, () => this.tick());
    else if (told) this.#timer.start(LATE, () => this.#visit.lookAgain());
  }
}

function duration(seconds) {
  if (seconds > 90) return `${Math.ceil(seconds / 60)} minutes`;
  return seconds === 1 ? "1 second" : `${seconds} seconds`;
}
