// Contact with the server: when it was last heard, and the banner that counts down while contact is lost.

import { now, since, Timer } from "./clock.js";
import { keepFocus } from "./page.js";

const BANNER_AFTER = 1_500; // a shorter gap is not worth a word
const NOTIFY_AFTER = 10_000; // a shorter gap is not worth a notification
const WARN_BELOW = 25; // seconds left: a visitor who is warned still has 20 s to act (WCAG 2.2.1)

export class Contact {
  #visit;
  #banner;
  #heardAt = now();
  #lostAt = null;
  #countdown = new Timer();
  #warning = new Timer();
  #notification = new Timer();

  constructor(visit, banner) {
    this.#visit = visit;
    this.#banner = banner;
  }

  get isLost() {
    return Boolean(this.#lostAt);
  }

  get isBannerShown() {
    return !this.#banner.hidden;
  }

  // The place is kept for so many seconds more.
  get secondsLeft() {
    return Math.ceil(this.#visit.state.keep_seconds - since(this.#heardAt) / 1000);
  }

  heard() {
    this.#heardAt = now();
    this.stop();
    if (!this.isBannerShown) return;
    keepFocus(() => {
      this.#banner.hidden = true;
    });
    this.#visit.tab.show(this.#visit.state);
    this.#visit.voice.say("Connected again.");
  }

  startCountdown(delay = BANNER_AFTER) {
    if (this.isLost) return;
    this.#lostAt = now();
    this.#countdown.start(delay, () => this.#countDown());
    // A timer of its own: in a hidden tab, the chain of one-second timers below may be minutes late.
    const untilWarning = (this.secondsLeft - WARN_BELOW + 1) * 1000;
    this.#warning.start(Math.max(delay, untilWarning), () => this.#countDown());
    this.#notification.start(NOTIFY_AFTER, () => this.#visit.notify(this.#sentence()));
  }

  stop() {
    this.#lostAt = null;
    for (const timer of [this.#countdown, this.#warning, this.#notification]) timer.stop();
  }

  focusReconnect() {
    this.#banner.lastElementChild.focus();
  }

  #countDown() {
    const urgent = this.secondsLeft < WARN_BELOW;
    const isNews = !this.isBannerShown || this.#banner.classList.contains("urgent") !== urgent;
    this.#banner.hidden = false;
    this.#banner.classList.toggle("urgent", urgent);
    this.#banner.firstElementChild.textContent = this.#sentence();
    this.#visit.tab.showLoss(this.#visit.state);
    if (isNews) this.#visit.voice.say(`${this.#sentence()} Press Escape to reconnect.`);
    if (isNews && urgent) this.#visit.notify(this.#sentence());
    this.#countdown.start(1_000, () => this.#countDown());
  }

  #sentence() {
    const left = this.secondsLeft;
    const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    const running = this.#visit.state.status === "running";
    if (left > 0)
      return `${this.cause} ${running ? "The work goes on without you" : "Your place is kept"} for ${clock}.`;
    return `${this.cause} ${running ? "The work may have been stopped." : "Your place may have passed."}`;
  }
}
