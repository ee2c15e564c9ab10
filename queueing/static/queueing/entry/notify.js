// For visitors who ask to be told: a notification and a sound when there is news. Where notifications are off, the
// sound alone.

const LATEST_SOUND = 2_000; // milliseconds; a later sound would only startle

export class Notifier {
  #button;
  #hint;
  // Kept for this tab: a reload neither forgets the choice nor asks again. The address keeps entries apart.
  #choice = `tell ${location.pathname}`;
  #audio = null;

  constructor(button, hint) {
    this.#button = button;
    this.#hint = hint;
    button.addEventListener("click", () => this.#toggle());
    for (const touch of ["pointerdown", "keydown"]) {
      addEventListener(touch, () => this.isWanted && this.#unlockSound());
    }
    button.hidden = false;
    this.#show();
  }

  get isWanted() {
    return this.#choice in sessionStorage;
  }

  // On phones only installed sites may notify, whatever the permission says.
  get canNotify() {
    const isPhone = /Android|iPhone|iPad/.test(navigator.userAgent);
    return globalThis.Notification?.permission === "granted" && !isPhone;
  }

  tell(text) {
    if (!this.isWanted) return;
    this.#ring();
    try {
      // biome-ignore lint/performance/useDomNodeTextContent: innerText puts the task and the file on lines of their own
      const body = document.querySelector(".context").innerText;
      const notification = new Notification(text, { body, tag: this.#choice, renotify: true });
      notification.onclick = () => focus();
    } catch {
      // This browser has no notifications, or does not allow them here: the sound has to do.
    }
  }

  async #toggle() {
    if (this.isWanted) {
      delete sessionStorage[this.#choice];
    } else {
      sessionStorage[this.#choice] = "yes";
      this.#unlockSound();
      this.#show(); // before the question for permission, which may stay open for long
      await globalThis.Notification?.requestPermission();
    }
    this.#show();
  }

  #show() {
    this.#button.setAttribute("aria-pressed", this.isWanted);
    if (!this.isWanted) this.#hint.textContent = "";
    else if (this.canNotify) this.#hint.textContent = "A notification and a sound will tell you.";
    else {
      this.#hint.textContent =
        "Notifications are off here: a sound will tell you. On a phone, keep this page in front.";
    }
  }

  // Browsers make no sound before the visitor has touched the page; after a reload a touch is needed again.
  #unlockSound() {
    this.#audio ??= new AudioContext();
    this.#audio.resume();
  }

  // Two notes, made by the browser: no file has to be loaded.
  async #ring() {
    const asked = performance.now();
    await this.#audio?.resume();
    // Without a touch there is no audio. resume() waits for a touch, which may come much later.
    if (!this.#audio || performance.now() - asked > LATEST_SOUND) return;
    [660, 880].forEach((frequency, index) => {
      const note = new OscillatorNode(this.#audio, { frequency });
      const volume = new GainNode(this.#audio, { gain: 0.25 });
      const start = this.#audio.currentTime + index / 5;
      volume.gain.setTargetAtTime(0, start, 0.15);
      note.connect(volume).connect(this.#audio.destination);
      note.start(start);
      note.stop(start + 0.6);
    });
  }
}
