// What goes into an archive beside the pictures: what they are, and sums to check them by. No prompt among it.

const COLUMNS = ["name", "id", "made", "width", "height", "steps", "guidance", "seed", "bytes"];

/** The files with `MANIFEST` and `SHA256SUMS` behind them, the latter as `sha256sum --check` reads it. */
export async function withSums(files) {
  const made = (file) => new Date(file.created_ms).toISOString();
  const row = (file) => COLUMNS.map((name) => (name === "made" ? made(file) : file[name]) ?? "-");
  const created_ms = Date.now();
  const text = (name, lines) => ({ name, created_ms, content: new Blob([lines.map((line) => `${line}\n`).join("")]) });
  const manifest = text("MANIFEST", [COLUMNS, ...files.map(row)].map((cells) => cells.join("\t")));
  const sums = [];
  // One after the other: each is whole in memory while it is read.
  for (const { name, content } of [...files, manifest]) sums.push(`${await sha256(content)}  ${name}`);
  return [...files, manifest, text("SHA256SUMS", sums)];
}

async function sha256(content) {
  const digest = await crypto.subtle.digest("SHA-256", await content.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
