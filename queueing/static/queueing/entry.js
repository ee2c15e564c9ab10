// Keeps an entry's page alive: a WebSocket, polling where there is none, an honest countdown when both are gone.
// The open socket is what keeps the place; nothing here sends anything. Times are milliseconds.
"use strict";

const SILENCE = 22_000; // the server speaks at least every 10 s; two ticks missed mean a dead socket
const QUIET = 12_000; // the same, when there is reason for doubt: the tab came back, the network changed
const CONNECT_TIMEOUT = 5_000; // a socket may be stuck in CONNECTING for ever
const FIRST_FRAME = 10_000;
const MIN_GAP = 600; // between two attempts, as the server sees them never less than half a second
const POLL_EVERY = 5_000;
const POLL_AFTER = 4_000; // without a socket; two failures come first as a rule
const BANNER_AFTER = 1_500; // shorter gaps (a reload of the server) are not worth a word
const SPEAK_EVERY = 10_000;
const WARN_BELOW = 25; // seconds: who is warned has 20 left to act (WCAG 2.2.1)
const FINAL = ["succeeded", "failed", "cancelled", "abandoned"];

const root = document.getElementById("entry");
const partial = document.getElementById("status");
const banner = document.getElementById("connection");
const spoken = document.getElementById("spoken");
const icon = document.querySelector("link[rel=icon]");
const plainIcon = icon.href;

const state = {
  status: root.dataset.status,
  reason: "",
  position: number(root.dataset.position),
  keepSeconds: number(root.dataset.keepSeconds),
  progress: null,
  title: document.title,
};
let over = FINAL.includes(state.status); // nothing will change any more
let away = false; // between pagehide and pageshow
let socket = null;
let live = false; // the socket has delivered
let everLive = false;
let failures = 0;
let polling = false; // a poll is under way
let wanted = false; // the page's new part, which was too long for the socket
let heardAt = now();
let triedAt = null;
let polledAt = null;
let lostAt = null;
let spokeAt = null;
const timers = {};

function number(text) {
  return text ? Number(text) : null;
}

// A monotonic clock may stop while the machine sleeps, the other one may be set: the longer time is the safe one.
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
  const url = new URL(root.dataset.socket, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.searchParams.set("have", state.status);
  const attempt = new WebSocket(url);
  socket = attempt;
  later("connect", CONNECT_TIMEOUT, () => drop(attempt));
  attempt.onopen = () => {
    // The first frame follows at once, if anything does.
    later("connect", FIRST_FRAME, () => drop(attempt));
  };
  attempt.onmessage = (event) => {
    const frame = JSON.parse(event.data);
    live = everLive = true;
    failures = 0;
    cancel("connect", "fallback", "poll");
    heard();
    if (frame.type === "status") apply(frame);
  };
  attempt.onclose = (event) => (event.code === 4004 ? gone() : drop(attempt));
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
  // Full jitter. Where only polling works, the socket is tried now and then.
  const cap = everLive || failures < 6 ? 10_000 : 30_000;
  later("retry", Math.random() * Math.min(cap, 500 * 2 ** failures), connect);
}

// 4000: found dead. 4001: the goodbye of a page that is closed or left. 1000: nothing more to hear.
function release(code) {
  cancel("connect", "silence");
  if (!socket) return;
  socket.onopen = socket.onmessage = socket.onclose = null;
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
    const url = new URL(root.dataset.statusUrl, location.href);
    url.searchParams.set("have", state.status);
    const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(8_000) });
    if (answer.status === 404) gone();
    else if (answer.ok) {
      const data = await answer.json();
      if (!away && (wanted || !live)) {
        wanted = false;
        heard();
        apply(data);
      }
    } else lose();
  } catch {
    lose();
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
  cancel("banner");
  if (banner.hidden) return;
  banner.hidden = true;
  show();
  speak("Connected again.");
}

function lose() {
  if (over || away || live || lostAt) return;
  lostAt = now();
  later("banner", BANNER_AFTER, countDown);
}

function countDown() {
  if (over || away || !lostAt) return;
  const left = state.keepSeconds === null ? null : Math.ceil(state.keepSeconds - since(heardAt) / 1000);
  const warned = banner.classList.contains("urgent");
  const urgent = left !== null && left < WARN_BELOW;
  const first = banner.hidden;
  banner.hidden = false;
  banner.classList.toggle("urgent", urgent);
  banner.querySelector("[data-kept]").textContent = keptSentence(left);
  document.title = `Connection lost \u00b7 ${state.title}`;
  draw("!", "#a85b00");
  if (first || urgent !== warned) speak(`Connection lost. ${keptSentence(left)}`);
  later("banner", 1_000, countDown);
}

function keptSentence(left) {
  const running = state.status === "running";
  if (left === null) return "The work goes on, and is shown when the connection is back.";
  if (left <= 0) return running ? "The work may have been stopped." : "Your place may have passed.";
  const clock = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  return running ? `The work goes on without you for ${clock}.` : `Your place is kept for ${clock}.`;
}

// Somebody looks at the page, or the network changed: do not wait for timers.
function wake() {
  if (over || away) return;
  if (socket) {
    if (live) listen(QUIET);
    return;
  }
  failures = Math.min(failures, 2);
  connect();
  if (lostAt) pollSoon();
}

function finish() {
  over = true;
  release(1000);
  cancel("retry", "poll", "fallback", "banner");
  banner.hidden = true;
}

function gone() {
  finish();
  root.dataset.status = "gone";
  for (const action of root.querySelectorAll("[data-for]")) action.hidden = !action.matches("a");
  const heading = document.createElement("h1");
  const reason = document.createElement("p");
  heading.textContent = "This entry is no longer here";
  reason.textContent = "It was deleted after its time, or it belongs to another browser.";
  partial.replaceChildren(heading, reason);
  document.title = heading.textContent;
  icon.href = plainIcon;
  speak(heading.textContent);
}

// --- What is shown

function apply(data) {
  const changed = data.status !== state.status;
  // The frame with the new part was missed: get it.
  if (changed && data.html === undefined) return void poll(true);
  const moved = data.position !== state.position;
  Object.assign(state, {
    status: data.status,
    reason: data.reason,
    position: data.position,
    keepSeconds: data.keep_seconds,
    progress: data.progress,
    title: data.title,
  });
  if (data.html !== undefined) replace(data.html);
  for (const element of partial.querySelectorAll("[data-live]")) {
    const text = data[element.dataset.live] ?? "";
    if (element.textContent !== text) element.textContent = text;
    element.hidden = !text;
  }
  const dots = partial.querySelector("[data-dots]");
  if (dots) drawDots(dots, data.ahead ?? 0, data.held_ahead ?? 0);
  show();
  if (FINAL.includes(state.status)) finish();
  const words = [data.headline, data.wait, data.detail].filter(Boolean).join(". ");
  if (changed) speak(data.headline);
  else if (state.status === "waiting" && moved) speak(words.replaceAll("..", "."), 3_000);
  else if (state.status === "running") speak(data.headline, SPEAK_EVERY);
}

function replace(html) {
  const focused = document.activeElement;
  partial.innerHTML = html;
  root.dataset.status = state.status;
  for (const action of root.querySelectorAll("[data-for]")) {
    const fits = action.dataset.for.split(" ").includes(state.status);
    action.hidden = !fits || action.dataset.unless === state.reason;
  }
  // Focus stays where it is; when its element went away, it moves to the heading instead of to nowhere.
  const lost = focused !== document.body && (!focused.isConnected || focused.closest("[hidden]"));
  if (lost) document.getElementById("headline")?.focus({ preventScroll: true });
  localTimes();
}

function drawDots(row, ahead, held) {
  const solid = Math.min(ahead, 24);
  const wanted = solid + Math.min(held, 6);
  const people = [...row.querySelectorAll("i:not(.you)")];
  const served = people.length - wanted;
  for (const dot of people.slice(0, Math.max(0, served))) dot.remove();
  for (let missing = served; missing < 0; missing += 1) row.insertBefore(document.createElement("i"), row.lastElementChild);
  [...row.querySelectorAll("i:not(.you)")].forEach((dot, index) => dot.classList.toggle("held", index >= solid));
}

// The parts outside of the text: progress, title, the tab's icon.
function show() {
  const bar = partial.querySelector("progress");
  if (bar) {
    if (state.progress === null) bar.removeAttribute("value");
    else bar.value = state.progress;
    const percent = state.progress === null ? "" : `${Math.round(state.progress * 100)} %`;
    partial.querySelector("[data-percent]").textContent = percent;
  }
  document.title = state.title;
  const ring = "#0b6b5e";
  if (state.status === "waiting" && state.position) draw(state.position > 99 ? "99" : state.position, ring);
  else if (state.status === "running") draw(state.progress === null ? "\u2026" : Math.round(state.progress * 100), ring);
  else if (state.status === "succeeded") draw("\u2713", ring);
  else if (FINAL.includes(state.status)) draw("\u00d7", "#a3201d");
  else icon.href = plainIcon;
}

function draw(text, colour) {
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="${colour}"/>` +
    `<text x="16" y="23" text-anchor="middle" font-family="system-ui,sans-serif" font-weight="700" font-size="20" fill="#fff">${text}</text></svg>`;
  const href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  if (icon.href !== href) icon.href = href;
}

// One voice for those who do not see the page. A gap means: not sooner than that after the last word, and then the newest.
function speak(text, gap = 0) {
  cancel("speak");
  const wait = gap - since(spokeAt);
  if (wait > 0) return later("speak", wait, () => speak(text));
  if (spoken.textContent === text) return;
  spokeAt = now();
  spoken.textContent = text;
}

function localTimes() {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
  }
}

// --- Copying a result's text

async function copy(button) {
  const source = document.querySelector(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Without https there is no clipboard: the old way, by selection, which sees only what is shown.
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

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.copy) copy(button);
  if (button?.hasAttribute("data-reconnect")) wake();
});

// One key is enough to try again, wherever the focus is not on something of its own.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && lostAt && event.target === document.body) wake();
});

document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});

document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && wake());
document.addEventListener("resume", wake);
addEventListener("online", wake);
addEventListener("offline", () => {
  if (over || lostAt) return;
  lostAt = now();
  countDown();
});

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
  const bar = partial.querySelector("progress");
  if (bar?.hasAttribute("value")) state.progress = bar.value;
  connect();
  later("fallback", POLL_AFTER, poll);
}
show();
