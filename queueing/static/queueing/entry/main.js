// The script of an entry's page: starts the visit, and passes on the events of the browser and the visitor.

import { Visit } from "./visit.js";

const SUBMIT_AGAIN_AFTER = 5_000; // milliseconds; a request that was stopped leaves no dead button

const visit = new Visit(document.getElementById("entry"));

document.getElementById("connection").addEventListener("click", () => visit.wake());

// Few pages have something to copy, so this module is fetched when it is wanted.
document.addEventListener("click", async ({ target }) => {
  if (target.dataset.copy) (await import("./copy.js")).copyText(target, visit.voice);
});

// Escape tries again, whatever has the focus.
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && visit.contact.isLost) visit.wake();
});

// Each form is sent once. While contact is lost none is: the browser would leave this page for an error page of its own.
document.addEventListener("submit", (event) => {
  const { dataset } = event.target;
  const isOffline = visit.contact.isBannerShown;
  if (dataset.sent || isOffline) event.preventDefault();
  if (isOffline) {
    visit.contact.focusReconnect();
    return visit.wake();
  }
  dataset.sent = "yes";
  setTimeout(() => delete dataset.sent, SUBMIT_AGAIN_AFTER);
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) visit.wake();
});
document.addEventListener("resume", () => visit.wake());
addEventListener("online", () => visit.wake());
addEventListener("offline", () => visit.lost(0));

addEventListener("pagehide", () => visit.goAway());
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) visit.comeBack();
});

visit.begin();
