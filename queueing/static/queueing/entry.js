// Keeps an entry's page alive: by a WebSocket, which keeps the place; by polling where there is none; with a
// countdown when both are gone. Times in milliseconds.
"use strict";

const SILENCE = 22_000; // the server speaks at least every 10 s; two ticks missed mean a dead socket
const QUIET = 12_000; // the same, when in doubt
const CONNECT_TIMEOUT = 10_000; // a socket may be stuck in CONNECTING for ever
const MIN_GAP = 600; // between attempts; half a second for the server
const POLL_EVERY = 5_000;
const POLL_AFTER = 4_000; // without a socket
const BANNER_AFTER = 1_500; // shorter gaps are not worth a word,
const ALARM_AFTER = 10_000; // and these no notification
const SPEAK_EVERY = 10_000;
const WARN_BELOW = 25; // seconds: who is warned has 20 left to act (WCAG 2.2.1)
const LIVE = ["waiting", "running"];

const root = document.getElementById("entry");
const partial = document.getElementById("status");
const banner = document.getElementById("connection");
const spoken = document.getElementById("spoken");
const icon = document.querySelector("link[rel=icon]");

let state = JSON.parse(root.dataset.state); // what the server said last, by its own names
let over = !LIVE.includes(state.status); // nothing will change any more
let away = false; // between pagehide and pageshow
let socket = null;
let live = false; // the socket has delivered
let doubtful = null; // silent; it may keep the place until the next one does
let failures = 0;
let polling = false; // a poll is under way
let wanted = false; // the page's new part, which was too long for the socket
let heardAt = now();
let triedAt = null;
let polledAt = null;
let lostAt = null;
let spokeAt = null;
const timers = {};

// One clock may stop while the machine sleeps, the other may be set: the longer time is safe.
function now() {
  return { steady: performance.now(), wall: Date.now() };
}

function since(moment) {
  return moment ? Math.max(performance.now() - moment.steady, Date.now() - moment.wall) : Infinity;
}

function later(name, delay, action) {
  clearTimeout(timers[name]);
  timers[name] = setTimeout(action, delay);
}

function cancel(...names) {
  for (const name of names) clearTimeout(timers[name]);
}

// --- The socket

function connect() {
  if (over || away || socket) return;
  const gap = MIN_GAP - since(triedAt);
  if (gap > 0) return later("retry", gap, connect);
  cancel("retry");
  triedAt = now();
  const address = location.origin.replace("http", "ws") + root.dataset.socket;
  socket = new WebSocket(`${address}?have=${state.status}`);
  later("connect", CONNECT_TIMEOUT, drop);
  socket.onmessage = (event) => {
    const frame = JSON.parse(event.data);
    if (live) failures = 0; // who is sent away after the first comes back ever later
    live = true;
    doubtful?.close(4000);
    cancel("connect", "poll");
    heard();
    if (frame.type === "status") apply(frame);
  };
  socket.onclose = drop;
}

// Anew by each frame: in a hidden tab, a timer begun by the network is not held back for minutes.
function listen(patience) {
  later("silence", Math.max(1_000, patience - since(heardAt)), drop);
}

function drop() {
  if (live) lose(); // otherwise the poll that follows finds out
  release();
  failures += 1;
  pollSoon(failures < 2 ? POLL_AFTER : undefined);
  later("retry", Math.random() * Math.min(10_000, 500 * 2 ** failures), connect); // full jitter
}

// 1000: nothing more to hear. 4000: found dead. 4001: the goodbye.
function release(code) {
  cancel("connect", "silence");
  doubtful?.close(code ?? 4000);
  if (!socket) return;
  socket.onmessage = socket.onclose = null;
  if (live && !code) doubtful = socket;
  else socket.close(code ?? 4000);
  socket = null;
  live = false;
}

// --- Polling, where no socket opens

function pollSoon(delay = Math.max(0, POLL_EVERY - since(polledAt))) {
  later("poll", delay, poll);
}

async function poll(force = false) {
  cancel("poll");
  wanted ||= force;
  if (over || away || polling || (live && !wanted)) return;
  const asked = wanted; // an answer under way may be from before
  polling = true;
  polledAt = now();
  try {
    const address = `${root.dataset.statusUrl}?have=${state.status}`;
    const signal = AbortSignal.timeout(asked ? 90_000 : 8_000); // a long result, a thin line
    const answer = await fetch(address, { cache: "no-store", signal });
    if (answer.status === 404) return location.reload(); // gone; the server has a page for that
    if (!answer.ok) throw new Error(answer.status);
    const data = await answer.json();
    if (!away && wanted === asked && (wanted || !live)) {
      wanted = false;
      heard();
      apply(data);
    }
  } catch {
    if (!live) lose();
  }
  polling = false;
  if (over || away) return;
  // The socket will not bring what did not come.
  if (wanted) pollSoon(asked ? 2_000 : 0);
  else if (!live) pollSoon();
}

// --- Lost and found

function heard() {
  heardAt = now();
  lostAt = null;
  if (live) listen(SILENCE);
  cancel("banner", "alarm", "warn");
  if (banner.hidden) return;
  refocus(() => (banner.hidden = true));
  show();
  speak("Connected again.");
}

function lose(delay = BANNER_AFTER) {
  if (over || away || lostAt) return;
  lostAt = now();
  later("banner", delay, countDown);
  // A chain of timers may be late in a hidden tab.
  later("warn", Math.max(delay, (secondsLeft() - WARN_BELOW + 1) * 1000), countDown);
  later("alarm", ALARM_AFTER, () => tell(lossSentence()));
}

function countDown() {
  const urgent = secondsLeft() < WARN_BELOW;
  const warned = !banner.hidden && banner.classList.contains("urgent") === urgent;
  banner.hidden = false;
  banner.classList.toggle("urgent", urgent);
  banner.firstElementChild.textContent = lossSentence();
  document.title = `Connection lost · ${state.title}`;
  draw("!", "#a85b00");
  if (!warned) speak(`${lossSentence()} Press Escape to reconnect.`);
  if (!warned && urgent) tell(lossSentence());
  later("banner", 1_000, countDown);
}

function secondsLeft() {
  return Math.ceil(state.keep_seconds - since(heardAt) / 1000);
}

function lossSentence() {
  const left = secondsLeft();
  const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  const running = state.status === "running";
  if (left <= 0) return `Connection lost. ${running ? "The work may have been stopped." : "Your place may have passed."}`;
  return `Connection lost. ${running ? "The work goes on without you" : "Your place is kept"} for ${clock}.`;
}

// Somebody looks at the page, or the network changed.
function wake() {
  if (over || away) return;
  if (live && !lostAt) return listen(QUIET);
  if (live || since(triedAt) > 2_000) release(); // a new attempt gets through sooner than a stuck one
  failures = Math.min(failures, 2);
  if (lostAt) pollSoon(0);
  connect();
}

// --- What is shown

function apply(data) {
  const changed = data.status !== state.status;
  // The frame with the new part was missed: get it.
  if (changed && !data.html) return void poll(true);
  const moved = data.position !== state.position;
  state = data;
  if (data.html) refocus(() => replace(data.html));
  for (const element of partial.querySelectorAll("[data-live]")) {
    const text = data[element.dataset.live] ?? "";
    if (element.textContent !== text) element.textContent = text;
    element.hidden = !text;
  }
  drawDots(data.ahead, data.held_ahead);
  show();
  over = !LIVE.includes(state.status);
  if (over) {
    release(1000);
    cancel(...Object.keys(timers));
  }
  if (changed) speak(data.headline);
  else if (moved) speak(`${data.headline}. ${data.wait} ${data.detail}`, SPEAK_EVERY);
  else if (state.status === "running") speak(data.headline, SPEAK_EVERY);
  // Being back in line, or having left it, is no news.
  if (changed && !["waiting", "cancelled"].includes(state.status)) tell(over ? data.headline : data.detail);
}

function replace(html) {
  partial.innerHTML = html;
  root.dataset.status = state.status;
  for (const action of root.querySelectorAll("[data-for]")) {
    const fits = action.dataset.for.split(" ").includes(state.status);
    action.hidden = !fits || action.dataset.unless === state.reason;
  }
  localTimes();
}

// Focus stays; when its element goes away, it moves to the heading.
function refocus(change) {
  const focused = document.activeElement;
  change();
  const lost = focused !== document.body && (!focused.isConnected || focused.closest("[hidden]"));
  if (lost) document.getElementById("headline").focus({ preventScroll: true });
}

// As queueing/people.html.
function drawDots(ahead, held) {
  const row = partial.querySelector("[data-dots]");
  const people = "<i></i>".repeat(Math.min(ahead, 24)) + '<i class="held"></i>'.repeat(Math.min(held, 6));
  const html = `<b></b>${people}<i class="you"></i>`;
  if (row && row.innerHTML !== html) row.innerHTML = html;
}

// Outside of the text: progress, title, icon.
function show() {
  const bar = partial.querySelector("progress");
  const percent = state.progress === null ? "" : `${Math.round(state.progress * 100)} %`;
  if (bar) {
    if (percent) bar.value = state.progress;
    else bar.removeAttribute("value");
    bar.setAttribute("aria-valuetext", percent || "Just begun");
    bar.nextElementSibling.textContent = percent;
  }
  document.title = state.title;
  const sign = {
    waiting: state.position > 99 ? "…" : (state.position ?? "?"),
    running: parseInt(percent) || "…",
    succeeded: "✓",
  }[state.status];
  draw(sign ?? "×", sign ? undefined : "#a3201d");
}

function draw(text, colour = "#0b6b5e") {
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="${colour}"/>` +
    `<text x="16" y="23" text-anchor="middle" font-family="sans-serif" font-weight="700" font-size="20" fill="#fff">${text}</text></svg>`;
  const href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  if (icon.href !== href) icon.href = href;
}

// For screen readers. With a gap: so long after the last word, then the newest.
function speak(text, gap = 0) {
  cancel("speak");
  const wait = gap - since(spokeAt);
  if (wait > 0) return later("speak", wait, () => speak(text));
  if (spoken.textContent === text) return;
  spokeAt = now();
  spoken.textContent = text;
}

// For notify.js.
function tell(text) {
  document.dispatchEvent(new CustomEvent("news", { detail: text }));
}

function localTimes() {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString([], { timeStyle: "short" });
  }
}

// --- Copying a result's text

async function copy(button) {
  const { textContent } = document.querySelector(button.dataset.copy);
  // Without https there is no clipboard.
  const done = await navigator.clipboard?.writeText(textContent).then(() => "Copied", () => "");
  button.dataset.label ??= button.textContent;
  button.textContent = done || "Please select it by hand";
  speak(button.textContent);
  setTimeout(() => (button.textContent = button.dataset.label), 2_000);
}

// --- Events

document.addEventListener("click", ({ target }) => target.dataset.copy && copy(target));
banner.addEventListener("click", wake);

// One key is enough to try again, whatever has the focus.
document.addEventListener("keydown", ({ key }) => lostAt && key === "Escape" && wake());

// Offline it would lead away.
document.addEventListener("submit", (event) => {
  const { dataset } = event.target;
  if (dataset.sent || !banner.hidden) event.preventDefault();
  if (!banner.hidden) {
    banner.lastElementChild.focus();
    return wake();
  }
  dataset.sent = "yes";
  setTimeout(() => delete dataset.sent, 5_000);
});

document.addEventListener("visibilitychange", () => document.hidden || wake());
document.addEventListener("resume", wake);
addEventListener("online", wake);
addEventListener("offline", () => lose(0));

// The goodbye, by hand where there is no socket to close.
addEventListener("pagehide", () => {
  away = true;
  const form = root.querySelector("form");
  if (form && !live && !over) navigator.sendBeacon(root.dataset.goodbye, new FormData(form));
  release(4001);
  cancel(...Object.keys(timers));
});

addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  away = false;
  failures = 0;
  lostAt = null;
  if (over) return;
  state.keep_seconds = 0; // after a goodbye it is another, and may be over
  lose();
  begin();
});

// Polling first: a browser may refuse sockets by an exception.
function begin() {
  pollSoon(POLL_AFTER);
  connect();
}

localTimes();
show();
if (!over) begin();
