// A task's form: looks at the chosen file before it travels, and sends it with a progress bar that can be stopped.
// Without this script it is an ordinary form, and the server checks the same. Times are milliseconds.
"use strict";

const STALL = 30_000; // without a byte going out, or an answer to a small question
const LOOKING = 60_000; // the same once all is sent: the server reads the whole file before it answers
const LARGE = 1024 ** 2; // bytes; before a larger file travels, the line is asked whether it takes anybody
const HEAD = 4096; // bytes of a file that tell what it is, as on the server

const form = document.getElementById("join");
let sending = null; // the request under way
let stall; // the timer that gives it up

const part = (name) => form.querySelector(`[data-${name}]`);
const fileField = () => form.querySelector("input[type=file]");
const joinButton = () => form.querySelector(".primary[type=submit]");

function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let step = 0;
  for (; bytes >= 1024 && step < 3; step += 1) bytes /= 1024;
  return `${step ? bytes.toFixed(1) : bytes} ${units[step]}`;
}

// --- The chosen file

// What is wrong with it, or "" when it can be sent.
async function trouble() {
  const file = fileField().files[0];
  const limit = Number(form.dataset.maxBytes);
  if (!file) return "Please choose a file first.";
  if (!file.size) return "This file is empty.";
  if (limit && file.size > limit) return `This file is too large; the limit is ${size(limit)}.`;
  let head;
  try {
    head = String.fromCharCode(...new Uint8Array(await file.slice(0, HEAD).arrayBuffer()));
  } catch {
    return "This cannot be read: it is a folder, or the file was moved or changed. Please choose it again.";
  }
  const refused = JSON.parse(form.dataset.refusedHeads);
  return refused.find(([pattern]) => new RegExp(`^(?:${pattern})`, "is").test(head))?.[1] ?? "";
}

// One sentence beside the field, linked as Django links its own; "" takes it away.
function say(sentence, { invalid = true } = {}) {
  const field = fileField();
  const id = `${field.id}_error`;
  const described = new Set((field.getAttribute("aria-describedby") || "").split(" ").filter(Boolean));
  described.delete(id);
  field.removeAttribute("aria-invalid");
  part("errors").replaceChildren();
  if (sentence) {
    const list = document.createElement("ul");
    const item = document.createElement("li");
    list.id = id;
    list.className = "errorlist";
    item.textContent = sentence;
    list.append(item);
    part("errors").append(list);
    described.add(id);
    if (invalid) field.setAttribute("aria-invalid", "true");
  }
  field.setAttribute("aria-describedby", [...described].join(" "));
}

function showChosen(note = "") {
  const file = fileField().files[0];
  if (!file) return;
  const [name, more] = ["strong", "span"].map((tag) => document.createElement(tag));
  name.textContent = file.name;
  more.textContent = note;
  more.className = "help";
  part("chosen").replaceChildren(name, ` ${size(file.size)} `, more);
  part("drop").classList.add("full");
}

async function check() {
  const file = fileField().files[0];
  const wrong = await trouble();
  if (fileField().files[0] === file && !sending) say(wrong);
}

function take(files) {
  if (!files.length || sending) return;
  const one = new DataTransfer();
  one.items.add(files[0]);
  fileField().files = one.files;
  showChosen(files.length > 1 ? `Only one file can be taken: this is the first of ${files.length}.` : "");
  part("spoken").textContent = part("chosen").textContent;
  check();
}

// --- Sending

function busy(on, text) {
  part("upload").hidden = !on;
  for (const button of form.querySelectorAll("[type=submit]")) {
    button.disabled = on || Boolean(part("refusal").firstElementChild);
  }
  if (!on) return;
  part("upload").querySelector("progress").removeAttribute("value");
  part("upload-text").textContent = part("spoken").textContent = text;
  part("upload").focus(); // the pressed button cannot keep it
}

// No request is under way any more: the form can be used again, and nothing of it is lost.
function rest() {
  clearTimeout(stall);
  sending?.abort();
  sending = null;
  busy(false);
}

function stay(sentence, options) {
  rest();
  part("spoken").textContent = "";
  say(sentence, options);
  (fileField().matches("[aria-invalid]") ? fileField() : joinButton()).focus();
}

// It is not the file's fault. The form's code makes it safe to send it once more: it is taken once.
function giveUp(sentence) {
  stay(`${sentence} Please try again: nothing is lost, and nothing is done twice.`, { invalid: false });
}

function patience(time) {
  clearTimeout(stall);
  stall = setTimeout(giveUp, time, "There has been no answer for a while.");
}

function onSent(event) {
  const bar = part("upload").querySelector("progress");
  const done = !event.lengthComputable || event.loaded >= event.total;
  if (done) bar.removeAttribute("value");
  else bar.value = event.loaded / event.total;
  part("upload-text").textContent = done
    ? "Sent. Looking into your file"
    : `Sending your file: ${size(event.loaded)} of ${size(event.total)}`;
  if (done) part("spoken").textContent = part("upload-text").textContent;
  patience(done ? LOOKING : STALL);
}

// The answer's page; null, and said so, when the answer is not one of ours but a proxy's on the way.
function ask(method, data) {
  return new Promise((resolve) => {
    const request = sending;
    request.open(method, form.action);
    request.onload = () => {
      clearTimeout(stall);
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      if (page.querySelector("#main .ticket")) return resolve(page);
      if (request.status === 413) stay("This file is too large to be sent here. Please choose a smaller one.");
      else giveUp("The site cannot be reached right now.");
      resolve(null);
    };
    request.onerror = () => giveUp("Your file did not get through.");
    request.send(data);
    patience(STALL);
  });
}

// Whether the line takes anybody, and how long it is, as that page says.
function renew(page) {
  for (const name of ["refusal", "line"]) part(name).replaceWith(page.querySelector(`[data-${name}]`));
  rest();
  (part("refusal").firstElementChild || joinButton()).focus();
}

// A page instead of a place. The same form: its sentences are shown, the file stays chosen.
function show(page) {
  const answer = page.getElementById("join");
  const { files } = fileField();
  document.title = page.title;
  rest();
  if (answer) {
    form.replaceChildren(...answer.childNodes);
    fileField().files = files;
    showChosen();
    (form.querySelector("[aria-invalid=true]") || fileField()).focus();
  } else {
    const heading = page.querySelector("h1");
    document.getElementById("main").replaceWith(page.getElementById("main"));
    heading.setAttribute("tabindex", "-1");
    heading.focus();
  }
}

async function send(event) {
  event.preventDefault();
  if (sending) return;
  const request = new XMLHttpRequest();
  const sample = event.submitter?.name === "sample";
  const file = sample ? null : fileField().files[0];
  const data = new FormData(form, event.submitter);
  if (sample) data.delete(fileField().name);
  else request.upload.onprogress = onSent;
  sending = request; // from here on a second submit is none
  say("");
  const wrong = sample ? "" : await trouble();
  if (wrong) return stay(wrong);
  busy(true, sample ? "Asking for a place in line" : "Sending your file");
  if (file?.size > LARGE) {
    const page = await ask("GET");
    if (!page) return;
    if (page.querySelector("[data-refusal] > *")) return renew(page);
  }
  const page = await ask("POST", data);
  if (!page) return;
  if (request.status < 400) location.assign(request.responseURL);
  else show(page);
}

async function lookAgain() {
  if (sending) return;
  sending = new XMLHttpRequest();
  busy(true, "Looking at the line");
  const page = await ask("GET");
  if (page?.querySelector("[data-refusal]")) renew(page);
}

form.noValidate = true; // this script says it beside the field
form.addEventListener("submit", send);
form.addEventListener("change", (event) => {
  if (event.target !== fileField() || !event.target.files.length) return;
  showChosen();
  check();
});
form.addEventListener("click", (event) => {
  if (event.target.closest("[data-cancel]")) {
    stay("");
    part("spoken").textContent = "Stopped. Your file is still chosen.";
  } else if (event.target.closest("[data-again]")) {
    event.preventDefault(); // the file stays chosen
    lookAgain();
  }
});

// A file dropped anywhere is meant for the field; it must not replace the page. So is one that is pasted.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  part("drop")?.classList.add("over");
});
for (const end of ["dragleave", "drop", "dragend"]) {
  document.addEventListener(end, () => part("drop")?.classList.remove("over"));
}
document.addEventListener("drop", (event) => {
  event.preventDefault();
  take(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => take(event.clipboardData?.files ?? []));

// Back from the entry: the form can be used again, and asks for a new place.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  form.elements.code.value = "";
  rest();
});

document.documentElement.classList.add("js");
form.querySelector("[aria-invalid=true]")?.focus();
showChosen();
