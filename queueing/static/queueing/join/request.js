// Requests to the server. They report their progress, can be stopped, and are given up when nothing moves any more.

const STALL = 30_000; // milliseconds without a byte going out, or without an answer to a request that carries no file
const READING = 60_000; // the same once all is sent: the server reads the whole file before it answers

// A request without an answer of ours. The message is for the visitor.
export class RequestFailed extends Error {
  constructor(message, { isFileWrong = false } = {}) {
    super(message);
    this.isFileWrong = isFileWrong;
  }
}

export class Request {
  #xhr = new XMLHttpRequest(); // fetch() does not tell how much of an upload has been sent
  #isStopped = false;
  #patience;

  // Resolves with { page, status, address } of the answer; raises RequestFailed. onSent(event) hears of each part of
  // the data that has gone out; it is null where there is no file. A request that is stopped never settles.
  ask(method, address, { data, onSent = null } = {}) {
    return new Promise((resolve, reject) => {
      if (this.#isStopped) return;
      const xhr = this.#xhr;
      const fail = (sentence, options) => {
        this.stop();
        reject(new RequestFailed(sentence, options));
      };
      const wait = (time) => {
        clearTimeout(this.#patience);
        this.#patience = setTimeout(() => fail(tryAgain("There has been no answer for a while.")), time);
      };
      xhr.open(method, address);
      xhr.upload.onprogress =
        onSent &&
        ((event) => {
          onSent(event);
          wait(isAllSent(event) ? READING : STALL);
        });
      xhr.onload = () => {
        clearTimeout(this.#patience);
        const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
        const { status } = xhr;
        // Other pages come from a proxy on the way. After a fault of ours the form stays, and nothing has to be chosen
        // again.
        if (page.querySelector("#main .ticket") && status !== 500) resolve({ page, status, address: xhr.responseURL });
        else fail(whatWentWrong(status, xhr.getResponseHeader("X-Reference")), { isFileWrong: status === 413 });
      };
      xhr.onerror = () => fail(tryAgain("There is no connection to the site. Is your network there?"));
      xhr.send(data);
      wait(STALL);
    });
  }

  stop() {
    this.#isStopped = true;
    clearTimeout(this.#patience);
    this.#xhr.abort();
  }
}

export function isAllSent({ lengthComputable, loaded, total }) {
  return !lengthComputable || loaded >= total;
}

// An answer that is no page of ours: a fault, a refusal on the way, or a site that is being restarted.
function whatWentWrong(status, reference) {
  if (status === 413) return "This file is too large to be sent here. Please choose a smaller one.";
  if (status === 429) return tryAgain("Too much has come from your network. Wait a minute.");
  if (status > 500) return tryAgain("The site is being restarted, or has too much to do. Wait a minute.");
  const tell = `tell the people who run this site${reference ? `. Reference ${reference}` : ""}`;
  if (status === 500) return `${tryAgain("Something broke on our side.")} If it happens again, ${tell}`;
  return `This was refused on the way here (${status}). Try another network, or ${tell}.`;
}

// The form carries an idempotency key, so a second request with it yields the same entry.
function tryAgain(sentence) {
  return `${sentence} Please try again: nothing is lost, and nothing is done twice.`;
}
