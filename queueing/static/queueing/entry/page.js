// The part of the page that shows the entry: its texts, the dots of the line, the progress bar.

const MOST_DOTS = 24; // as in queueing/people.html
const MOST_RINGS = 6;
const SOCKET_AFTER = 1_000; // milliseconds; after a reload the visitor counts as present from the new page's socket on

export class Page {
  #root;
  #part;

  constructor(root) {
    this.#root = root;
    this.#part = root.querySelector("#status");
    this.#showLocalTimes();
    for (const action of root.querySelectorAll("[data-after]")) this.#showLater(action);
  }

  show(state) {
    if (state.html) keepFocus(() => this.#replacePart(state));
    this.#showTexts(state);
    this.#showNext(state.next_url);
    this.#drawDots(state.ahead, state.held_ahead);
    this.showProgress(state.progress);
    this.#showLocalTimes();
  }

  // null: the work has begun, and nobody knows how much of it is done.
  showProgress(progress) {
    const bar = this.#part.querySelector("progress");
    if (!bar) return;
    const percent = progress === null ? "" : `${Math.round(progress * 100)} %`;
    if (percent) bar.value = progress;
    else bar.removeAttribute("value");
    bar.setAttribute("aria-valuetext", percent || "Just begun");
    bar.nextElementSibling.textContent = percent;
  }

  #replacePart({ html, status }) {
    this.#part.innerHTML = html;
    this.#root.dataset.status = status;
    for (const action of this.#root.querySelectorAll("[data-for]")) {
      action.hidden = !action.dataset.for.split(" ").includes(status) || "after" in action.dataset;
    }
  }

  // An action that comes with time: keeping the place takes a page that has been open for a while.
  #showLater(action) {
    setTimeout(
      () => {
        delete action.dataset.after;
        action.hidden = !action.dataset.for.split(" ").includes(this.#root.dataset.status);
      },
      1000 * action.dataset.after + SOCKET_AFTER,
    );
  }

  // Unchanged texts are not set again: that would end a visitor's selection of them.
  #showTexts(state) {
    for (const element of this.#part.querySelectorAll("[data-live]")) {
      const text = state[element.dataset.live] ?? "";
      if ("dateTime" in element) element.dateTime = text;
      else if (element.textContent !== text) element.textContent = text;
      element.hidden = !text;
    }
  }

  // The entry was started again, by the visitor or by staff.
  #showNext(url) {
    const link = this.#root.querySelector("#next a");
    link.href = url;
    link.closest("div").hidden = !url;
  }

  // A dot for each who waits ahead, a ring for each who may return, as queueing/people.html draws them. An unchanged
  // row is left alone, so that its animation does not start again.
  #drawDots(ahead, held) {
    const row = this.#part.querySelector("[data-dots]");
    if (!row) return;
    const dots = "<i></i>".repeat(Math.min(ahead, MOST_DOTS));
    const rings = '<i class="held"></i>'.repeat(Math.min(held, MOST_RINGS));
    const html = `<b></b>${dots}${rings}<i class="you"></i>`;
    if (row.innerHTML !== html) row.innerHTML = html;
  }

  // The server writes times in UTC; only the browser knows the visitor's zone. A time on another day has its date.
  #showLocalTimes() {
    const today = new Date().toDateString();
    for (const time of this.#root.querySelectorAll("time:not([hidden])")) {
      const when = new Date(time.dateTime);
      const dateStyle = when.toDateString() === today ? undefined : "medium";
      time.textContent = when.toLocaleString([], { dateStyle, timeStyle: "short" });
    }
  }
}

// Makes the change. If it takes away the focused element, the heading gets the focus: otherwise a keyboard or screen
// reader user would be thrown back to the top of the page.
export function keepFocus(change) {
  const focused = document.activeElement;
  change();
  if (focused === document.body) return;
  const isGone = !focused.isConnected || focused.closest("[hidden]");
  if (isGone) document.getElementById("headline").focus({ preventScroll: true });
}
