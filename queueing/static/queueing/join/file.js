// The chosen file, looked at before it travels. The server checks the same again.

const HEAD = 16384; // bytes of a file that tell what it is, as on the server

// The reason why the file cannot be sent, as a sentence; "" when it can be.
export async function troubleWith(file, { maxBytes, refusedHeads }) {
  if (!file) return "Please choose a file first.";
  if (!file.size) return "This file is empty.";
  if (maxBytes && file.size > maxBytes) return `This file is too large; the limit is ${readableSize(maxBytes)}.`;
  let head;
  try {
    head = await readHead(file);
  } catch {
    return "This cannot be read: it is a folder, or the file was moved or changed. Please choose it again.";
  }
  const refused = refusedHeads.find(([pattern]) => new RegExp(`^(?:${pattern})`, "is").test(head));
  return refused?.[1] ?? "";
}

export function readableSize(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let step = 0;
  let size = bytes;
  for (; size >= 1024 && step < units.length - 1; step += 1) size /= 1024;
  return `${Number(size.toFixed(1))} ${units[step]}`;
}

// One character for each byte, because the server's patterns are about bytes.
async function readHead(file) {
  return String.fromCharCode(...new Uint8Array(await file.slice(0, HEAD).arrayBuffer()));
}
