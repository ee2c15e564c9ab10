// For visitors who ask to be told: a notification and a sound when entry.js has news, or the sound alone.

const button = document.querySelector("[data-tell]");
const hint = document.getElementById("told");
const choice = `tell ${location.pathname}`; // kept for this tab: a reload neither forgets nor asks again
const phone = /Android|iPhone|iPad/.test(navigator.userAgent); // where only installed sites may notify
let audio = null;

// Browsers make no sound before the page was touched.
function unlock() {
  audio ??= new AudioContext();
  audio.resume();
}

// Two notes, made here: no file to load.
async function ring() {
  const asked = performance.now();
  await audio?.resume();
  // Without a touch there is none, and one that had to wait for a touch would only startle.
  if (!audio || performance.now() - asked > 2_000) return;
  [660, 880].forEach((frequency, index) => {
    const note = new OscillatorNode(audio, { frequency });
    const volume = new GainNode(audio, { gain: 0.25 });
    const start = audio.currentTime + index / 5;
    volume.gain.setTargetAtTime(0, start, 0.15);
    note.connect(volume).connect(audio.destination);
    note.start(start);
    note.stop(start + 0.6);
  });
}

function show() {
  const wanted = choice in sessionStorage;
  const shown = globalThis.Notification?.permission === "granted" && !phone;
  button.setAttribute("aria-pressed", wanted);
  hint.textContent = !wanted
    ? ""
    : shown
      ? "A notification and a sound will tell you."
      : "Notifications are off here: a sound will tell you. On a phone, keep this page in front.";
}

button.addEventListener("click", async () => {
  if (choice in sessionStorage) delete sessionStorage[choice];
  else {
    sessionStorage[choice] = "yes";
    unlock();
    show();
    await globalThis.Notification?.requestPermission();
  }
  show();
});

for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, () => choice in sessionStorage && unlock());

document.addEventListener("news", ({ detail }) => {
  if (!(choice in sessionStorage)) return;
  ring();
  try {
    const body = document.querySelector(".context").innerText;
    const notification = new Notification(detail, { body, tag: choice, renotify: true });
    notification.onclick = () => focus();
  } catch {
    // Unknown here, or not allowed.
  }
});

button.hidden = false;
show();
