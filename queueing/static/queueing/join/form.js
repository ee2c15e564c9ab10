// The form as the visitor sees it. Its parts are looked up each time, because an answer may replace them.

import { readableSize } from "./file.js";
import { isAllSent } from "./request.js";

export class Form {
  constructor(element) {
    this.element = element;
    element.noValidate = true; // the browser's own bubbles go away after seconds; our sentences stay beside the field
  }

  part(name) {
    return this.element.querySelector(`[data-${name}]`);
  }

  get fileField() {
    return this.element.querySelector("input[type=file]");
  }

  get file() {
    return this.fileField.files[0];
  }

  // The limits that the server puts on a file.
  get limits() {
    const { maxBytes, refusedHeads } = this.element.dataset;
    return { maxBytes: Number(maxBytes), refusedHeads: JSON.parse(refusedHeads) };
  }

  get joinButton() {
    return this.element.querySelector(".primary[type=submit]");
  }

  get isRefused() {
    return Boolean(this.part("refusal").firstElementChild);
  }

  // Only one file can be taken: the first.
  choose(files) {
    const transfer = new DataTransfer();
    transfer.items.add(files[0]);
    this.fileField.files = transfer.files;
    this.showChosen(files.length > 1 ? `Only one file can be taken: this is the first of ${files.length}.` : "");
    this.speak(this.part("chosen").textContent);
  }

  showChosen(note = "") {
    if (!this.file) return;
    const name = document.createElement("strong");
    const more = document.createElement("span");
    name.textContent = this.file.name;
    more.textContent = note;
    more.className = "help";
    this.part("chosen").replaceChildren(name, ` ${readableSize(this.file.size)} `, more);
    this.part("drop").classList.add("full");
  }

  // One sentence beside the file's field, linked to it as Django links its own; "" takes it away.
  showTrouble(sentence, { isFileWrong = true } = {}) {
    const field = this.fileField;
    const id = `${field.id}_error`;
    const described = new Set((field.getAttribute("aria-describedby") || "").split(" ").filter(Boolean));
    described.delete(id);
    field.removeAttribute("aria-invalid");
    this.part("errors").replaceChildren();
    if (sentence) {
      this.part("errors").append(errorList(id, sentence));
      described.add(id);
      if (isFileWrong) field.setAttribute("aria-invalid", "true");
    }
    field.setAttribute("aria-describedby", [...described].join(" "));
  }

  showBusy(text) {
    this.#setBusy(true);
    this.part("upload").querySelector("progress").removeAttribute("value");
    this.part("upload-text").textContent = text;
    this.speak(text);
    this.part("upload").focus(); // the pressed button is disabled now and loses the focus
  }

  showSent(event) {
    const isDone = isAllSent(event);
    const bar = this.part("upload").querySelector("progress");
    if (isDone) bar.removeAttribute("value");
    else bar.value = event.loaded / event.total;
    const text = isDone
      ? "Sent. Looking into your file"
      : `Sending your file: ${readableSize(event.loaded)} of ${readableSize(event.total)}`;
    this.part("upload-text").textContent = text;
    if (isDone) this.speak(text);
  }

  // How far the work of the browser is, before anything is sent.
  showShare(share) {
    this.part("upload").querySelector("progress").value = share;
  }

  showReady() {
    this.#setBusy(false);
  }

  // The answer has the same form with the server's sentences. The file stays chosen.
  replaceWith(answer) {
    const { files } = this.fileField;
    this.element.replaceChildren(...answer.childNodes);
    this.fileField.files = files;
    this.showChosen();
    (this.element.querySelector("[aria-invalid=true]") || this.fileField).focus();
  }

  // Shows what another page of this form says about the line: how long it is, and whether it takes anybody.
  replaceLine(page) {
    for (const name of ["refusal", "line"]) this.part(name).replaceWith(page.querySelector(`[data-${name}]`));
  }

  speak(text) {
    this.part("spoken").textContent = text;
  }

  #setBusy(isBusy) {
    this.part("upload").hidden = !isBusy;
    for (const button of this.element.querySelectorAll("[type=submit]")) button.disabled = isBusy || this.isRefused;
  }
}

function errorList(id, sentence) {
  const list = document.createElement("ul");
  const item = document.createElement("li");
  list.id = id;
  list.className = "errorlist";
  item.textContent = sentence;
  list.append(item);
  return list;
}
