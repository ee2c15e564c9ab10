// Keeps an entry's page alive: a WebSocket, polling where there is none, a countdown when both are gone.
// The open socket is what keeps the place; nothing here sends anything. Times are milliseconds.
"use strict";

const SILENCE = 22_000; // the server speaks at least every 10 s; two ticks missed mean a dead socket
const QUIET = 12_000; // the same, when there is reason for doubt: the tab came back, the network changed
const CONNECT_TIMEOUT = 10_000; // until the first frame; a socket may be stuck in CONNECTING for ever
const MIN_GAP = 600; // between two attempts; as the server sees them, half a second or more
const POLL_EVERY = 5_000;
const POLL_AFTER = 4_000; // without a socket
const BANNER_AFTER = 1_500; // shorter gaps (a reload of the server) are not worth a word,
const ALARM_AFTER = 10_000; // and these not worth a notification
const SPEAK_EVERY = 10_000;
const WARN_BELOW = 25; // seconds: who is warned has 20 left to act (WCAG 2.2.1)
const FINAL = ["succeeded", "failed", "cancelled", "abandoned"];

const root = document.getElementById("entry");
const partial = document.getElementById("status");
const banner = document.getElementById("connection");
const spoken = document.getElementById("spoken");
const icon = document.querySelector("link[rel=icon]");

// What the server said last, by its own names.
let state = {
  status: root.dataset.status,
  position: Number(root.dataset.position) || null,
  keep_seconds: Number(root.dataset.keepSeconds),
  progress: partial.querySelector("progress")?.getAttribute("value") ?? null,
  title: document.title,
};
let over = FINAL.includes(state.status); // nothing will change any more
let away = false; // between pagehide and pageshow
let socket = null;
let live = false; // the socket has delivered
let failures = 0;
let polling = false; // a poll is under way
let wanted = false; // the page's new part, which was too long for the socket
let heardAt = now();
let triedAt = null;
let polledAt = null;
let lostAt = null;
let spokeAt = null;
const timers = {};

// One clock may stop while the machine sleeps, the other may be set: the longer time is the safe one.
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
  const attempt = new WebSocket(`${address}?have=${state.status}`);
  socket = attempt;
  later("connect", CONNECT_TIMEOUT, () => drop(attempt));
  attempt.onmessage = (event) => {
    const frame = JSON.parse(event.data);
    live = true;
    failures = 0;
    cancel("connect", "fallback", "poll");
    heard();
    if (frame.type === "status") apply(frame);
  };
  attempt.onclose = () => drop(attempt);
}

// Each frame starts the timer anew: a timer begun by the network is not held back in a hidden tab for minutes.
function listen(patience) {
  const dead = socket;
  later("silence", Math.max(1_000, patience - since(heardAt)), () => drop(dead));
}

function drop(dead) {
  if (dead !== socket || !dead) return;
  const carried = live;
  release(4000);
  failures += 1;
  if (carried) lose(); // otherwise the poll that follows finds out
  if (failures >= 2) pollSoon();
  else later("fallback", POLL_AFTER, poll);
  later("retry", Math.random() * Math.min(10_000, 500 * 2 ** failures), connect); // full jitter
}

// 4000: found dead. 4001: the goodbye of a page that is closed or left. 1000: nothing more to hear.
function release(code) {
  cancel("connect", "silence");
  if (!socket) return;
  socket.onmessage = socket.onclose = null;
  socket.close(code);
  socket = null;
  live = false;
}

// --- Polling, where no socket opens

function pollSoon() {
  cancel("fallback");
  later("poll", Math.max(0, POLL_EVERY - since(polledAt)), poll);
}

async function poll(force = false) {
  cancel("poll", "fallback");
  wanted ||= force;
  if (over || away || polling || (live && !wanted)) return;
  polling = true;
  polledAt = now();
  try {
    const address = `${root.dataset.statusUrl}?have=${state.status}`;
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(8_000) });
    if (answer.status === 404) return location.reload(); // the entry is gone; the server has a page for that
    if (!answer.ok) throw new Error(answer.status);
    const data = await answer.json();
    if (!away && (wanted || !live)) {
      wanted = false;
      heard();
      apply(data);
    }
  } catch {
    if (!live) lose();
  }
  polling = false;
  if (over || away) return;
  // A part that was asked for and did not come is asked for again: the socket will not bring it.
  if (wanted) later("poll", 2_000, poll);
  else if (!live) pollSoon();
}

// --- Lost and found

function heard() {
  heardAt = now();
  lostAt = null;
  if (live) listen(SILENCE);
  cancel("banner", "alarm");
  if (banner.hidden) return;
  banner.hidden = true;
  show();
  speak("Connected again.");
}

function lose(delay = BANNER_AFTER) {
  if (over || away || lostAt) return;
  lostAt = now();
  later("banner", delay, countDown);
  later("alarm", ALARM_AFTER, () => tell(lossSentence()));
}

function countDown() {
  const urgent = secondsLeft() < WARN_BELOW;
  const warned = !banner.hidden && banner.classList.contains("urgent") === urgent;
  banner.hidden = false;
  banner.classList.toggle("urgent", urgent);
  banner.firstElementChild.textContent = lossSentence();
  document.title = `Connection lost \u00b7 ${state.title}`;
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

// Somebody looks at the page, or the network changed: do not wait for timers.
function wake() {
  if (over || away) return;
  if (live) return listen(QUIET);
  if (since(triedAt) > 2_000) release(4000); // stuck: a new attempt gets through sooner
  failures = Math.min(failures, 2);
  connect();
  if (lostAt) pollSoon();
}

// --- What is shown

function apply(data) {
  const changed = data.status !== state.status;
  // The frame with the new part was missed: get it.
  if (changed && !data.html) return void poll(true);
  const moved = data.position !== state.position;
  state = data;
  if (data.html) replace(data.html);
  for (const element of partial.querySelectorAll("[data-live]")) {
    const text = data[element.dataset.live] ?? "";
    if (element.textContent !== text) element.textContent = text;
    element.hidden = !text;
  }
  const dots = partial.querySelector("[data-dots]");
  if (dots) drawDots(dots, data.ahead, data.held_ahead);
  show();
  over = FINAL.includes(state.status);
  if (over) {
    release(1000);
    cancel(...Object.keys(timers));
  }
  if (changed) speak(data.headline);
  else if (moved) speak(`${data.headline}. ${data.wait} ${data.detail}`, SPEAK_EVERY);
  else if (state.status === "running") speak(data.headline, SPEAK_EVERY);
  // To be back in line, or to have left it, is no news.
  if (changed && !["waiting", "cancelled"].includes(state.status)) tell(over ? data.headline : data.detail);
}

function replace(html) {
  const focused = document.activeElement;
  partial.innerHTML = html;
  root.dataset.status = state.status;
  for (const action of root.querySelectorAll("[data-for]")) {
    const fits = action.dataset.for.split(" ").includes(state.status);
    action.hidden = !fits || action.dataset.unless === state.reason;
  }
  // Focus stays; when its element went away, it moves to the heading instead of to nowhere.
  const lost = focused !== document.body && (!focused.isConnected || focused.closest("[hidden]"));
  if (lost) document.getElementById("headline")?.focus({ preventScroll: true });
  localTimes();
}

// As queueing/people.html draws them.
function drawDots(row, ahead, held) {
  const people = "<i></i>".repeat(Math.min(ahead, 24)) + '<i class="held"></i>'.repeat(Math.min(held, 6));
  const html = `<b></b>${people}<i class="you"></i>`;
  if (row.innerHTML !== html) row.innerHTML = html;
}

// The parts outside of the text: progress, title, the tab's icon.
function show() {
  const bar = partial.querySelector("progress");
  const percent = state.progress === null ? "" : `${Math.round(state.progress * 100)} %`;
  if (bar) {
    if (percent) bar.value = state.progress;
    bar.setAttribute("aria-valuetext", percent || "Just begun");
    bar.nextElementSibling.textContent = percent;
  }
  document.title = state.title;
  if (state.status === "waiting") draw(Math.min(state.position ?? 1, 99));
  else if (state.status === "running") draw(parseInt(percent) || "\u2026");
  else if (state.status === "succeeded") draw("\u2713");
  else draw("\u00d7", "#a3201d");
}

function draw(text, colour = "#0b6b5e") {
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="${colour}"/>` +
    `<text x="16" y="23" text-anchor="middle" font-family="sans-serif" font-weight="700" font-size="20" fill="#fff">${text}</text></svg>`;
  const href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  if (icon.href !== href) icon.href = href;
}

// For those who do not see the page. With a gap: not sooner than that after the last word, and then the newest.
function speak(text, gap = 0) {
  cancel("speak");
  const wait = gap - since(spokeAt);
  if (wait > 0) return later("speak", wait, () => speak(text));
  if (spoken.textContent === text) return;
  spokeAt = now();
  spoken.textContent = text;
}

// News for notify.js.
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
  const source = document.querySelector(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Without https there is no clipboard: by selection, which takes only what is shown.
    const { hidden } = source;
    source.hidden = false;
    getSelection().selectAllChildren(source);
    document.execCommand("copy");
    getSelection().removeAllRanges();
    source.hidden = hidden;
  }
  button.dataset.label ??= button.textContent;
  button.textContent = "Copied";
  speak("Copied");
  setTimeout(() => (button.textContent = button.dataset.label), 2_000);
}

// --- Events

document.addEventListener("click", ({ target }) => target.dataset.copy && copy(target));
banner.addEventListener("click", wake);

// One key is enough to try again: Escape does nothing else, whatever has the focus.
document.addEventListener("keydown", ({ key }) => lostAt && key === "Escape" && wake());

document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});

document.addEventListener("visibilitychange", () => document.hidden || wake());
document.addEventListener("resume", wake);
addEventListener("online", wake);
addEventListener("offline", () => lose(0));

// The goodbye. Without it a page in the back/forward cache would go on holding its place.
addEventListener("pagehide", () => {
  away = true;
  release(4001);
  cancel(...Object.keys(timers));
});

addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  away = false;
  failures = 0;
  lostAt = null;
  for (const form of root.querySelectorAll("form")) delete form.dataset.sent;
  if (over) return;
  lose();
  connect();
  later("fallback", POLL_AFTER, poll);
});

localTimes();
if (!over) {
  connect();
  later("fallback", POLL_AFTER, poll);
}
show();
