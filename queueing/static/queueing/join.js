// A task's form: shows what was chosen, checks its size before it travels, sends it with a progress bar.
// Without this script it is an ordinary form, and the server checks the same.
"use strict";

const form = document.getElementById("join");
let sending = null; // the request under way

const part = (name) => form.querySelector(`[data-${name}]`);
const fileField = () => form.querySelector("input[type=file]");

function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let step = 0;
  for (; bytes >= 1024 && step < 3; step += 1) bytes /= 1024;
  return `${step ? bytes.toFixed(1) : bytes} ${units[step]}`;
}

// What is wrong with the chosen file, or "" when it can be sent.
function trouble() {
  const file = fileField().files[0];
  const limit = Number(form.dataset.maxBytes);
  if (!file) return "Please choose a file first.";
  if (!file.size) return "This file is empty.";
  if (limit && file.size > limit) return `This file has ${size(file.size)}; the limit is ${size(limit)}.`;
  return "";
}

// One sentence beside the field, linked as Django links its own; "" takes it away.
function say(sentence) {
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
    field.setAttribute("aria-invalid", "true");
  }
  field.setAttribute("aria-describedby", [...described].join(" "));
}

function showChosen() {
  const file = fileField().files[0];
  if (!file) return;
  const name = document.createElement("strong");
  name.textContent = file.name;
  part("chosen").replaceChildren(name, ` ${size(file.size)}`);
  part("drop").classList.add("full");
}

function take(files) {
  if (!files.length || sending) return;
  const one = new DataTransfer();
  one.items.add(files[0]);
  fileField().files = one.files;
  showChosen();
  say(trouble());
}

function busy(on) {
  part("upload").hidden = !on;
  for (const button of form.querySelectorAll("button")) button.disabled = on;
}

function stay(sentence) {
  sending = null;
  busy(false);
  say(sentence);
  fileField().focus();
}

function onSent(event) {
  const bar = part("upload").querySelector("progress");
  const done = !event.lengthComputable || event.loaded >= event.total;
  if (done) bar.removeAttribute("value");
  else bar.value = event.loaded / event.total;
  part("upload-text").textContent = done
    ? "Sent. Looking into your file"
    : `Sending your file: ${size(event.loaded)} of ${size(event.total)}`;
}

// The answer is a page instead of a place. The same form: its sentences are shown, the file stays chosen.
function show(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const answer = page.getElementById("join");
  const { files } = fileField();
  sending = null;
  document.title = page.title;
  if (answer) {
    form.replaceChildren(...answer.childNodes);
    fileField().files = files;
    showChosen();
    (form.querySelector("[aria-invalid=true]") || fileField()).focus();
  } else {
    const heading = page.querySelector("h1");
    document.getElementById("main").replaceWith(page.getElementById("main") || page.body);
    heading?.setAttribute("tabindex", "-1");
    heading?.focus();
  }
}

function send(event) {
  event.preventDefault();
  if (sending) return;
  const sample = event.submitter?.name === "sample";
  if (!sample && trouble()) return stay(trouble());
  const data = new FormData(form, event.submitter);
  if (sample) data.delete(fileField().name);
  sending = new XMLHttpRequest();
  sending.open("POST", form.action);
  sending.upload.onprogress = onSent;
  sending.onload = () => {
    if (sending.status < 400) location.assign(sending.responseURL);
    else show(sending.responseText);
  };
  sending.onerror = () => stay("Your file did not get through. Please try again.");
  sending.send(data);
  say("");
  busy(true);
}

form.noValidate = true; // this script says it beside the field
form.addEventListener("submit", send);
form.addEventListener("change", (event) => {
  if (event.target === fileField() && event.target.files.length) {
    showChosen();
    say(trouble());
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
  sending = null;
  form.elements.code.value = "";
  busy(false);
});

document.documentElement.classList.add("js");
form.querySelector("[aria-invalid=true]")?.focus();
showChosen();
