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

  // A form may have several fields for files, or none.
  get fileFields() {
    return [...this.element.querySelectorAll("input[type=file]")];
  }

  // The one that takes what is dropped or pasted, and that the preview is about.
  get fileField() {
    return this.fileFields[0];
  }

  get file() {
    return this.fileField?.files[0];
  }

  get size() {
    return this.fileFields.flatMap(({ files }) => [...files]).reduce((sum, { size }) => sum + size, 0);
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

  // Unless the field takes several, only the first file can be taken.
  choose(files) {
    const field = this.fileField;
    const transfer = new DataTransfer();
    const taken = field.multiple ? [...files] : [files[0]];
    for (const file of taken) transfer.items.add(file);
    field.files = transfer.files;
    const isLess = files.length > taken.length;
    this.showChosen(field, isLess ? `Only one file can be taken: this is the first of ${files.length}.` : "");
    this.speak(this.part("chosen").textContent);
  }

  showAllChosen() {
    for (const field of this.fileFields) this.showChosen(field);
  }

  showChosen(field, note = "") {
    const drop = field.closest("[data-drop]");
    const files = [...field.files];
    if (!files.length) return;
    const name = document.createElement("strong");
    const more = document.createElement("span");
    name.textContent = files.map((file) => file.name).join(", ");
    more.textContent = note;
    more.className = "help";
    const size = files.reduce((sum, file) => sum + file.size, 0);
    drop.querySelector("[data-chosen]").replaceChildren(name, ` ${readableSize(size)} `, more);
    drop.classList.add("full");
  }

  // One sentence beside the file's field, linked to it as Django links its own; "" takes it away. A form without files
  // has its place for sentences above the buttons.
  showTrouble(sentence, { isFileWrong = true, field = this.fileField } = {}) {
    const id = `${field?.id ?? "form"}_error`;
    const errors = (field?.closest(".field") ?? this.element).querySelector("[data-errors]");
    errors.replaceChildren(...(sentence ? [errorList(id, sentence)] : []));
    if (!field) return;
    const described = new Set((field.getAttribute("aria-describedby") || "").split(" ").filter(Boolean));
    described.delete(id);
    field.removeAttribute("aria-invalid");
    if (sentence) described.add(id);
    if (sentence && isFileWrong) field.setAttribute("aria-invalid", "true");
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
    const kept = this.fileFields.map(({ files }) => files);
    this.element.replaceChildren(...answer.childNodes);
    for (const [place, field] of this.fileFields.entries()) field.files = kept[place];
    this.showAllChosen();
    (this.element.querySelector("[aria-invalid=true]") || this.fileField || this.joinButton).focus();
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
