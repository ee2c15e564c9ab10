// The WebSocket that keeps the place of an entry. The server counts the entry as present while a socket is open.

import { now, since, Timer } from "./clock.js";

const SILENCE = 22_000; // the server sends a frame at least every 10 s: after two missed ones the socket is dead
const HURRIED_SILENCE = 12_000; // the same with one missed frame, for a visitor who is looking at the page
const SHORTEST_SILENCE = 1_000; // a frame that is on its way may still take so long
const CONNECT_TIMEOUT = 10_000; // a socket may stay in the state CONNECTING for ever
const STUCK_AFTER = 2_000; // an attempt that takes this long is given up when somebody asks for a new one
const SHORTEST_GAP = 600; // between two attempts; the server allows one every 500 ms

const FOUND_DEAD = 4000; // close code: the server keeps the place for LOST_GRACE
export const NOTHING_TO_HEAR = 1000; // close code, of both sides: the entry is over
export const GOODBYE = 4001; // close code: the visitor closes the page

export class Connection {
  #visit;
  #socket = null;
  #delivers = false; // true from the first frame of this socket on
  #doubted = null; // the previous, silent socket; it stays open until its successor has delivered a frame
  #failures = 0; // since a socket delivered two frames
  #triedAt = null;
  #heardAt = now();
  #opening = new Timer();
  #silence = new Timer();
  #retry = new Timer();

  // The visit is told of each frame (received), of each socket that is given up (dropped), and of the server's last word
  // (finished).
  constructor(visit) {
    this.#visit = visit;
  }

  get isLive() {
    return this.#delivers;
  }

  get isStuck() {
    return !this.#delivers && since(this.#triedAt) > STUCK_AFTER;
  }

  open() {
    if (this.#socket) return;
    const gap = SHORTEST_GAP - since(this.#triedAt);
    if (gap > 0) return this.#retry.start(gap, () => this.open());
    this.#retry.stop();
    this.#triedAt = now();
    this.#socket = new WebSocket(this.#visit.socketAddress);
    this.#socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.#socket.onclose = ({ code }) => this.#closed(code);
    this.#opening.start(CONNECT_TIMEOUT, () => this.#drop());
  }

  // Opens a new socket now, for a visitor who does not want to wait for the next attempt.
  reopen() {
    if (this.isLive || this.isStuck) this.#setAside();
    this.#failures = Math.min(this.#failures, 2);
    this.open();
  }

  // Closes for good, or until open() is called. The code tells the server why.
  close(code) {
    this.#retry.stop();
    this.#failures = 0;
    this.#doubted?.close(code);
    this.#detach()?.close(code);
  }

  // The server has answered, by a frame or by a poll. The timer is started by the answer itself: in a hidden tab the
  // browser holds back timers for minutes, but not those that a message from the network has started.
  heard() {
    this.#heardAt = now();
    if (this.isLive) this.#silence.start(SILENCE, () => this.#drop());
  }

  // Somebody looks at the page: a live socket has less time to prove itself.
  hurry() {
    const left = Math.max(SHORTEST_SILENCE, HURRIED_SILENCE - since(this.#heardAt));
    this.#silence.start(left, () => this.#drop());
  }

  #receive(frame) {
    // Only the second frame of a socket counts as success: an overloaded server sends one frame and closes, and each
    // such page has to come back later than the time before.
    if (this.#delivers) this.#failures = 0;
    this.#delivers = true;
    this.#doubted?.close(FOUND_DEAD);
    this.#opening.stop();
    this.#visit.received(frame);
  }

  #closed(code) {
    if (code !== NOTHING_TO_HEAR) return this.#drop(code);
    this.#detach();
    this.#visit.finished();
  }

  #drop(code) {
    const delivered = this.#delivers;
    this.#setAside();
    this.#failures += 1;
    // Exponential back-off with full jitter. After a restart of the server thousands of pages come back, of which it takes
    // one each 2 ms: who stands further behind has longer, so that the head of the line is there first. The first try
    // is within 8 s, because an absence is noticed 10 s after a server has died, at the earliest; later ones within 16 s.
    const within = Math.max(500 * 2 ** Math.min(5, this.#failures), Math.min(8_000, 2 * this.#visit.state.ahead));
    this.#visit.dropped({ code, delivered, within });
    this.#retry.start(Math.random() * within, () => this.open());
  }

  // Makes room for a new socket. A socket that has delivered frames may only seem dead, and it still keeps the place:
  // closing it before its successor delivers would make the entry absent for a moment.
  #setAside() {
    this.#doubted?.close(FOUND_DEAD);
    const delivered = this.#delivers;
    const socket = this.#detach();
    if (delivered) this.#doubted = socket;
    else socket?.close(FOUND_DEAD);
  }

  // Stops listening to the socket, and hands it over.
  #detach() {
    this.#opening.stop();
    this.#silence.stop();
    const socket = this.#socket;
    if (socket) socket.onmessage = socket.onclose = null;
    this.#socket = null;
    this.#delivers = false;
    return socket;
  }
}
