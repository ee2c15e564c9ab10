// The browser's tab: a visitor in another tab reads the state in its title and icon.

export class Tab {
  #icon = document.querySelector("link[rel=icon]"); // null in a frame, and where a site's own base has none

  show(state) {
    document.title = state.title;
    const sign = {
      waiting: state.position > 99 ? "…" : (state.position ?? "?"),
      running: Math.round(state.progress * 100) || "…",
      succeeded: "✓",
    }[state.status];
    this.#draw(sign ?? "×", sign ? "#065" : "#a22");
  }

  showLoss(state) {
    document.title = `Connection lost · ${state.title}`;
    this.#draw("!", "#a50");
  }

  #draw(text, fill) {
    const svg =
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="${fill}"/>` +
      `<text x="16" y="23" text-anchor="middle" font-family="Arial" font-weight="700" font-size="20" fill="#fff">` +
      `${text}</text></svg>`;
    const href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
    if (this.#icon && this.#icon.href !== href) this.#icon.href = href;
  }
}
