// A proof of work, in a worker: a number for which SHA-256 of the seed and the number begins with enough zero bits. In
// plain JavaScript: crypto.subtle is asynchronous, and ten times as slow for hashes as short as these.

const REPORT_EVERY = 2 ** 16; // tries

// FIPS 180-4: the fractional parts of the square and cube roots of the first primes.
const PRIMES = [];
for (let number = 2; PRIMES.length < 64; number += 1) {
  if (PRIMES.every((prime) => number % prime)) PRIMES.push(number);
}
const fraction = (power) => (prime) => (prime ** power * 2 ** 32) | 0;
const START = PRIMES.slice(0, 8).map(fraction(1 / 2));
const ROUNDS = Int32Array.from(PRIMES, fraction(1 / 3));

const words = new Int32Array(64);

// The first word of the hash of the block in `words`.
function hash() {
  for (let t = 16; t < 64; t += 1) {
    const x = words[t - 15];
    const y = words[t - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    words[t] = (words[t - 16] + s0 + words[t - 7] + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = START;
  for (let t = 0; t < 64; t += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[t] + words[t]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  return (a + START[0]) | 0;
}

// Four hexadecimal digits, as the word of their four letters.
function digits(number) {
  let word = 0;
  for (let shift = 12; shift >= 0; shift -= 4) {
    const digit = (number >>> shift) & 15;
    word = (word << 8) | (digit < 10 ? 48 + digit : 87 + digit);
  }
  return word;
}

self.onmessage = ({ data: { seed, bits } }) => {
  // One block: 32 letters of the seed, 8 of the number, the end mark, and the length in bits.
  const letters = new DataView(new TextEncoder().encode(seed).buffer);
  for (let number = 0; ; number += 1) {
    words.fill(0, 0, 16);
    for (let i = 0; i < 8; i += 1) words[i] = letters.getInt32(4 * i);
    words[8] = digits(number >>> 16);
    words[9] = digits(number & 0xffff);
    words[10] = 0x80000000;
    words[15] = 320;
    if (Math.clz32(hash()) >= bits) {
      return self.postMessage({ proof: number.toString(16).padStart(8, "0") });
    }
    if (number % REPORT_EVERY === 0) self.postMessage({ tried: number });
  }
};
