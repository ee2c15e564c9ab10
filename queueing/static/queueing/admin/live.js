// Parts of a page that live. `data-live` on an element is the address of a JSON with `parts`: HTML by the name in
// `data-part`. What changes seldom comes only if the page does not have it: `data-have`, and `have` of each answer. Only a part that has changed is replaced, so that focus, selection and scrolling stay; the status line
// alone is read aloud, and only when the data go away or come back.

const EVERY = 2; // seconds; `data-every` asks less often
const PATIENCE = 4_000; // milliseconds until an answer is given up

class Live {
  #root;
  #status;
  #shown = new Map(); // the HTML of each part, as the server sent it last
  #since = ""; // the time of the last good answer
  #address;
  #timer;
  #every;
  #isAsking = false;

  constructor(root) {
    this.#root = root;
    this.#status = root.querySelector("[data-live-status]");
    this.#address = new URL(root.dataset.live, location);
    this.#keep(root.dataset.have);
    this.#every = 1000 * (root.dataset.every ?? EVERY);
    this.#since = root.dataset.at ?? new Date().toLocaleTimeString();
  }

  // Nobody sees a hidden tab, so it asks for nothing.
  begin() {
    document.addEventListener("visibilitychange", () => this.#next(document.hidden ? undefined : 0));
    this.#next(this.#every);
  }

  #next(delay) {
    clearTimeout(this.#timer);
    const asks = this.#every !== undefined && !document.hidden;
    if (delay !== undefined && asks) this.#timer = setTimeout(() => this.#ask(), delay);
  }

  async #ask() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const answer = await fetch(this.#address, {
        headers: { Accept: "application/json" },
        redirect: "manual", // to the sign-in
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (answer.type === "opaqueredirect") return this.#end("You are signed out. Load the page again to sign in.");
      if (answer.status === 403) return this.#end("You may not see this any more.");
      if (answer.status === 404) return this.#end("This is not there any more: it has been deleted.");
      if (!answer.ok) throw new Error(answer.statusText);
      this.#show(await answer.json());
    } catch {
      this.#say(`Live data unavailable since ${this.#since}`);
    } finally {
      this.#isAsking = false;
      this.#next(this.#every);
    }
  }

  // Nothing changes any more until the page is loaded again.
  #end(text) {
    this.#every = undefined;
    this.#say(`${text} The numbers are of ${this.#since}.`);
  }

  #keep(version) {
    if (version) this.#address.searchParams.set("have", version);
  }

  #show({ parts, away, at, have }) {
    this.#keep(have);
    const focused = this.#root.contains(document.activeElement) ? document.activeElement : null;
    if (this.#replaceAll(parts)) this.#replaceAll(parts); // parts inside of a new part are empty
    if (focused && !focused.isConnected) this.#focusSame(focused);
    if (!away) this.#since = at;
    this.#say(away ? `Live data unavailable since ${this.#since}` : "");
  }

  // True if a part was replaced that has other parts inside.
  #replaceAll(parts) {
    let hasInner = false;
    for (const element of this.#root.querySelectorAll("[data-part]")) {
      const name = element.dataset.part;
      const html = parts[name];
      if (html === undefined || this.#shown.get(name) === html || !element.isConnected) continue;
      this.#shown.set(name, html);
      for (const inner of element.querySelectorAll("[data-part]")) this.#shown.delete(inner.dataset.part);
      element.innerHTML = html;
      hasInner ||= element.querySelector("[data-part]") !== null;
    }
    return hasInner;
  }

  // The link or button that had the focus is found again by its address or id.
  #focusSame(gone) {
    const same = [...this.#root.querySelectorAll("a, button")].find((one) =>
      gone.id ? one.id === gone.id : one.href && one.href === gone.href,
    );
    same?.focus({ preventScroll: true });
  }

  #say(text) {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }
}

for (const root of document.querySelectorAll("[data-live]")) new Live(root).begin();
