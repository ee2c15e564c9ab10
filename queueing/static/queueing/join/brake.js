// The brake: while it is on, the form has a challenge, and is sent with a proof that the browser has worked for it.

import { RequestFailed } from "./request.js";

const NO_PROOF = "Your browser could not do the calculation that joining needs right now. Please reload this page.";

export class Brake {
  #form;
  #since = performance.now(); // when the challenge came
  #work = null; // on the challenge that the form has now

  constructor(form) {
    this.#form = form;
  }

  // Not there while the brake is off.
  get #challenge() {
    return this.#form.part("challenge");
  }

  get isOn() {
    return Boolean(this.#challenge);
  }

  // The challenge in the form has been used, and is good for nothing else.
  expire() {
    this.#since = -Infinity;
  }

  // Takes the challenge of another page of this form, if the present one will not do for long. A challenge that will do
  // stays: by it, a form that is sent twice makes one entry.
  renew(page) {
    const life = 1000 * (this.#challenge?.dataset.life ?? 0);
    const fresh = page.querySelector("[data-brake]"); // not there on an error page
    if (!fresh || performance.now() - this.#since < life * 0.8) return;
    this.#form.part("brake").replaceWith(fresh);
    this.#since = performance.now();
  }

  // Begins the work, so that it is done by the time that the visitor joins.
  begin() {
    const challenge = this.#challenge;
    if (!challenge || this.#work?.challenge === challenge) return;
    this.stop();
    const { worker: address, seed, bits } = challenge.dataset;
    const worker = new Worker(address, { type: "module" });
    const work = { challenge, worker, onTried: null };
    work.proof = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => (data.proof ? resolve(data.proof) : work.onTried?.(data.tried));
      worker.onerror = () => reject(new RequestFailed(NO_PROOF));
    });
    work.proof.catch(() => this.stop()); // the next submit tries again
    worker.postMessage({ seed, bits: Number(bits) });
    this.#work = work;
  }

  // Puts the proof into the data of the form. onShare hears of the chance that it would have been found by now.
  async finish(data, onShare) {
    this.begin();
    const { challenge, proof, worker } = this.#work;
    this.#work.onTried = (tried) => onShare(1 - Math.exp(-tried / 2 ** challenge.dataset.bits));
    data.set("proof", await proof);
    data.set("challenge", challenge.querySelector("[name=challenge]").value);
    worker.terminate();
  }

  stop() {
    this.#work?.worker.terminate();
    this.#work = null;
  }
}
