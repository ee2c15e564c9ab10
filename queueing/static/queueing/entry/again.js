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
      }
    });
    if (left > 0) this.#countDown(left);
    if (left > 0) this.#timer.start(1_000, () => this.tick());
    else if (told) this.#timer.start(LATE, () => this.#visit.lookAgain());
  }

  // The server's advice has one number, the duration. Unchanged text is left alone: it may be selected.
  #countDown(left) {
    const advice = this.#root.querySelector("[data-live=advice]");
    const text = this.#visit.state.advice.replace(/\d+ \w+/, duration(left));
    if (advice && advice.textContent !== text) advice.textContent = text;
  }
}

function duration(seconds) {
  if (seconds > 90) return `${Math.ceil(seconds / 60)} minutes`;
  return seconds === 1 ? "1 second" : `${seconds} seconds`;
}
