// Texts for screen readers. They stand in a status region that is not visible.

import { now, since, Timer } from "./clock.js";

export class Voice {
  #region;
  #saidAt = null;
  #pending = new Timer();

  constructor(region) {
    this.#region = region;
  }

  // With a gap, the text waits until that much time has passed since the last one; a newer text takes its turn. So a
  // line that moves every second is not read out every second.
  say(text, gap = 0) {
    this.stop();
    const wait = gap - since(this.#saidAt);
    if (wait > 0) return this.#pending.start(wait, () => this.say(text));
    if (this.#region.textContent === text) return;
    this.#saidAt = now();
    this.#region.textContent = text;
  }

  stop() {
    this.#pending.stop();
  }
}
