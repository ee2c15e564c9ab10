// Moments, and timers. All times are milliseconds.

// A moment by two clocks. The steady clock may stop while the machine sleeps, and the wall clock may be set by hand.
export function now() {
  return { steady: performance.now(), wall: Date.now() };
}

// The time since that moment; Infinity if it never came. Of two clocks that disagree, the longer time is safe: the page
// then asks the server once too often instead of showing an old state.
export function since(moment) {
  if (!moment) return Infinity;
  return Math.max(performance.now() - moment.steady, Date.now() - moment.wall);
}

// One pending action: starting it again replaces the one that was pending.
export class Timer {
  #id;

  start(delay, action) {
    this.stop();
    this.#id = setTimeout(action, delay);
  }

  stop() {
    clearTimeout(this.#id);
  }
}
