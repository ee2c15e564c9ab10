// One visitor's stay on the page of one entry. A socket keeps the place; where there is none, polling does; when both
// are gone, a countdown says how long the place is kept.

import { Again } from "./again.js";
import { Connection, GOODBYE, NOTHING_TO_HEAR } from "./connection.js";
import { Contact } from "./contact.js";
import { Notifier } from "./notify.js";
import { Page } from "./page.js";
import { Polling } from "./polling.js";
import { Tab } from "./tab.js";
import { Voice } from "./voice.js";

const LIVE = ["waiting", "running"];
const RIGHT_IS_OVER = 4003; // close code: the server says by a poll what has happened
const DELETED = "deleted"; // key of localStorage; its changes reach the browser's other tabs
const SPEAK_EVERY = 10_000; // milliseconds, at most, for numbers that change all the time

export class Visit {
  #root;
  #isAway = false; // between pagehide and pageshow
  #isFinished = false; // the server closed the socket behind the end of the entry

  constructor(root) {
    this.#root = root;
    this.state = JSON.parse(root.dataset.state); // what the server said last, by its own names
    this.connection = new Connection(this);
    this.polling = new Polling(this);
    this.contact = new Contact(this, document.getElementById("connection"));
    this.page = new Page(root);
    this.again = new Again(this, root);
    this.tab = new Tab();
    this.voice = new Voice(document.getElementById("spoken"));
    const tellMe = root.querySelector("[data-tell]"); // not there once the entry is over
    this.notifier = tellMe && new Notifier(tellMe, document.getElementById("told"));
  }

  // An entry that is over changes only by being deleted.
  get isOver() {
    return !LIVE.includes(this.state.status);
  }

  get isOngoing() {
    return !this.isOver && !this.#isAway;
  }

  // The server sends the page's new part only if the status is another one than the page has.
  get socketAddress() {
    return `${location.origin.replace("http", "ws")}${this.#root.dataset.socket}?have=${this.state.status}`;
  }

  get statusAddress() {
    return `${this.#root.dataset.statusUrl}?have=${this.state.status}`;
  }

  begin() {
    this.page.showProgress(this.state.progress);
    this.tab.show(this.state);
    this.again.show();
    if (this.state.deleted) {
      localStorage.setItem(DELETED, this.#root.dataset.socket);
      localStorage.removeItem(DELETED); // because only a change is told
    }
    addEventListener("storage", ({ key, newValue }) => {
      if (key === DELETED && newValue === this.#root.dataset.socket && !this.state.deleted) location.reload();
    });
    if (!this.isOver) this.#connect();
    // After an end without a result staff may start the entry again. A hidden page asks, too, because its visitor has to
    // be told; but seldom, because thousands may be forgotten.
    setInterval(() => {
      if (this.isOver && !this.state.result_url && Math.random() > 0.9 * document.hidden) this.lookAgain();
    }, 10_000);
  }

  // The visitor looks at the page, or the network has changed: now a new attempt may succeed.
  wake() {
    if (this.isOver) return this.lookAgain();
    if (!this.isOngoing) return;
    if (this.connection.isLive && !this.contact.isLost) return this.connection.hurry();
    if (this.contact.isLost) this.polling.soon(0);
    this.connection.reopen();
  }

  // The page is closed, left or put into the back/forward cache. A socket says goodbye by its close code; without one,
  // a POST does.
  goAway() {
    this.#isAway = true;
    const form = this.#root.querySelector("form");
    if (form && !this.connection.isLive && !this.isOver) {
      navigator.sendBeacon(this.#root.dataset.goodbye, new FormData(form));
    }
    this.#stop(GOODBYE);
  }

  // The page comes back from the back/forward cache, as it was left.
  comeBack() {
    this.#isAway = false;
    if (this.isOver) return this.lookAgain();
    this.state.keep_seconds = 0; // after a goodbye another, shorter time counts, and it may have passed
    this.lost();
    this.#connect();
  }

  // An entry that is over has no socket. It may have been deleted meanwhile, or its input.
  lookAgain() {
    if (this.state.deleted) return;
    this.again.tick();
    this.polling.askOnce();
  }

  // --- Reports of the connection and the polling

  received(frame) {
    this.polling.stop();
    this.#heard();
    if (frame.type === "status") this.#apply(frame);
  }

  answered(state) {
    this.#heard();
    this.#apply(state);
    if (this.#isFinished && this.isOngoing) this.connection.open(); // a proxy closed the socket, not the server
    this.#isFinished = false;
  }

  // A socket that never delivered tells nothing about the server: a poll is on its way, and finds out. One that did will
  // be back: a question costs the server more than a socket, so behind many others it comes late.
  dropped({ code, delivered, within }) {
    if (delivered) this.lost();
    if (code === RIGHT_IS_OVER) this.polling.soon(0);
    else if (delivered) this.polling.soon(Math.min(23_000, 9_000 + 2 * within));
  }

  // The entry is over, and the frame that said so was without the page's new part: a poll brings it.
  finished() {
    this.#isFinished = true;
    this.polling.askForPart();
  }

  lost(bannerAfter, cause = "Connection lost.") {
    this.contact.cause = cause;
    if (this.isOngoing) this.contact.startCountdown(bannerAfter);
  }

  notify(text) {
    this.notifier?.tell(text);
  }

  // --- Details

  // Polling comes first, because some browsers refuse sockets by an exception. It takes over within 5 s, also in a busy
  // browser.
  #connect() {
    this.polling.soon(4_500);
    this.connection.open();
  }

  #heard() {
    this.contact.heard();
    this.connection.heard();
  }

  #apply(state) {
    const previous = this.state;
    // An earlier frame had the page's new part, and it did not arrive.
    if (state.status !== previous.status && !state.html) return this.polling.askForPart();
    if (state.deleted && !previous.deleted) return location.reload();
    this.state = state;
    this.page.show(state);
    this.tab.show(state);
    this.again.show();
    if (this.isOver) this.#stop(NOTHING_TO_HEAR);
    this.#announce(previous);
  }

  #announce(previous) {
    const { state } = this;
    if (state.next_url !== previous.next_url) this.notify("Started again");
    if (state.status !== previous.status) {
      this.voice.say(state.headline);
      // The visitor's own doing, leaving or coming back, is no news.
      if (["waiting", "cancelled"].includes(state.status)) return;
      this.notify(this.isOver ? state.headline : state.detail);
    } else if (state.position !== previous.position) {
      this.voice.say(`${state.headline}. ${state.wait} ${state.detail}`, SPEAK_EVERY);
    } else if (previous.status === "running") {
      this.voice.say(state.headline, SPEAK_EVERY);
    }
  }

  #stop(code) {
    this.connection.close(code);
    this.polling.stop();
    this.contact.stop();
    this.voice.stop();
  }
}
