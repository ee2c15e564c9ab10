// A task's form: the file is checked before it travels, and its upload has a progress bar and can be stopped. Without
// this script it is an ordinary form, and the server checks the same.

import { Brake } from "./brake.js";
import { troubleWith } from "./file.js";
import { Form } from "./form.js";
import { Preview } from "./preview.js";
import { Request, RequestFailed } from "./request.js";

const LARGE = 1024 ** 2; // bytes; before a larger file travels, the line is asked whether it takes anybody

const form = new Form(document.getElementById("join"));
const brake = new Brake(form);
const preview = new Preview(form);
let request = null; // the one under way

// --- The chosen file

async function check(field) {
  const { files } = field;
  const trouble = await troubleIn(field);
  // Reading takes a moment: the visitor may have chosen another file, or sent the form.
  if (field.files !== files || request) return;
  form.showTrouble(trouble, { field });
  if (trouble) preview.clear();
  else preview.askSoon();
}

// The first trouble with the files of this field; "" when all can be sent.
async function troubleIn({ files, required }) {
  for (const file of files.length || !required ? files : [null]) {
    const trouble = await troubleWith(file, form.limits);
    if (trouble) return trouble;
  }
  return "";
}

function take(files) {
  if (!files.length || request || !form.fileField) return;
  form.choose(files);
  check(form.fileField);
}

// --- Sending

async function send(event) {
  event.preventDefault();
  if (request) return;
  const isSample = event.submitter?.name === "sample";
  const fields = isSample ? [] : form.fileFields;
  const data = new FormData(form.element, event.submitter);
  if (isSample) for (const { name } of form.fileFields) data.delete(name);
  request = new Request(); // from here on, a second submit is ignored
  preview.stop();
  form.showTrouble("");
  for (const field of fields) {
    const trouble = await troubleIn(field);
    if (trouble) return stay(trouble, { field });
  }
  const isLight = isSample || !form.size;
  const task = isLight ? "Asking for a place in line" : "Sending your file";
  form.showBusy(task);
  await orStay(async () => {
    if (!isSample && form.size > LARGE) {
      const { page } = await ask("GET");
      if (page.querySelector("[data-refusal] > *")) return showLine(page);
      brake.renew(page);
    }
    if (brake.isOn) {
      form.showBusy("Your browser is doing a short calculation");
      await brake.finish(data, (share) => form.showShare(share));
      form.showBusy(task);
    }
    const onSent = isLight ? null : (sent) => form.showSent(sent);
    const { page, status, address } = await ask("POST", { data, onSent });
    if (status < 400) location.assign(address);
    else showAnswer(page);
  });
}

async function lookAgain() {
  if (request) return;
  request = new Request();
  form.showBusy("Looking at the line");
  await orStay(async () => {
    const { page } = await ask("GET");
    if (page.querySelector("[data-refusal]")) showLine(page);
  });
}

function ask(method, options) {
  return request.ask(method, form.element.action, options);
}

// Runs the steps. When a request fails, the form stays, and the visitor reads why.
async function orStay(steps) {
  try {
    await steps();
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    stay(error.message, error);
  }
}

function stay(sentence, options) {
  rest();
  form.speak("");
  form.showTrouble(sentence, options);
  (form.fileFields.find((field) => field.matches("[aria-invalid]")) ?? form.joinButton).focus();
}

// No request is under way any more: the form can be used again, and nothing of it is lost.
function rest() {
  request?.stop();
  request = null;
  form.showReady();
}

// --- Answers

function showLine(page) {
  form.replaceLine(page);
  brake.renew(page);
  rest();
  (form.part("refusal").firstElementChild || form.joinButton).focus();
}

// A page came instead of a place: the form with sentences, or a page that says why there is no place.
function showAnswer(page) {
  document.title = page.title;
  rest();
  const answer = page.getElementById("join");
  if (answer) {
    form.replaceWith(answer);
    return form.fileField?.matches("[aria-invalid=true]") || preview.askSoon();
  }
  const heading = page.querySelector("h1");
  document.getElementById("main").replaceWith(page.getElementById("main"));
  heading.setAttribute("tabindex", "-1");
  heading.focus();
}

// --- Events

form.element.addEventListener("submit", send);

form.element.addEventListener("change", ({ target }) => {
  if (target.closest("details") && !request) preview.askSoon();
  if (!target.files?.length) return;
  form.showChosen(target);
  brake.begin();
  check(target);
});

form.element.addEventListener("click", (event) => {
  if (event.target.closest("[data-cancel]")) {
    brake.stop();
    stay("");
    form.speak("Stopped. Your file is still chosen.");
  } else if (event.target.closest("[data-again]")) {
    event.preventDefault(); // following the link would lose the chosen file
    lookAgain();
  }
});

// A file dropped anywhere on the page is taken for the field: by itself the browser would open it instead of the page.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  form.part("drop")?.classList.add("over");
});
for (const end of ["dragleave", "drop", "dragend"]) {
  document.addEventListener(end, () => form.part("drop")?.classList.remove("over"));
}
document.addEventListener("drop", (event) => {
  event.preventDefault();
  take(event.dataTransfer.files);
});
document.addEventListener("paste", ({ clipboardData }) => take(clipboardData?.files ?? []));

// The visitor comes back from the entry's page: the form can be used again. Without its idempotency key, which named
// that entry, it asks for a new place.
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  form.element.elements.code.value = "";
  rest();
  if (!brake.isOn) return;
  brake.expire();
  lookAgain();
});

document.documentElement.classList.add("js");
form.element.querySelector("[aria-invalid=true]")?.focus();
form.showAllChosen();
