// The preview: how the chosen file would be read, and its first rows. The beginning of the file is sent for it.

const QUIET = 400; // milliseconds without another change

export class Preview {
  #form;
  #timer;
  #asking = new AbortController();

  constructor(form) {
    this.#form = form;
  }

  // Asks when nothing more changes.
  askSoon() {
    this.stop();
    this.#timer = setTimeout(() => this.#ask(), QUIET);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#asking.abort();
  }

  clear() {
    this.stop();
    this.#form.part("preview")?.replaceChildren();
  }

  // Joining works without a preview, so one that fails is left out.
  async #ask() {
    const { element, file, fileField } = this.#form;
    const part = this.#form.part("preview");
    if (!part || !file) return;
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const body = new FormData(element);
    body.set(fileField.name, file.slice(0, part.dataset.bytes), file.name);
    let shown = null;
    try {
      const answer = await fetch(part.dataset.preview, { method: "POST", body, signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      shown = page.querySelector("[data-shown]");
    } catch {
      // the network, or a file that was moved
    }
    if (signal.aborted) return;
    part.replaceChildren(...(shown?.childNodes ?? []));
    this.#form.speak(part.querySelector("p")?.textContent ?? "");
  }
}
