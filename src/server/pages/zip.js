// An archive of files as they are: pictures are compressed already. Fields as in PKWARE's APPNOTE 6.3, 4.3.

const VERSION = 20;
const UTF_8 = 1 << 11;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

/** The archive of `files`, each `{ name, created_ms, content }` with a blob as its content; less than 4 GiB. */
export async function zip(files) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const { name, created_ms, content } of files) {
    const title = new TextEncoder().encode(name);
    const sum = crc32(new Uint8Array(await content.arrayBuffer()));
    const fields = [
      [2, VERSION], [2, UTF_8], [2, 0], ...dosTime(new Date(created_ms)),
      [4, sum], [4, content.size], [4, content.size], [2, title.length], [2, 0],
    ];
    const local = pack([[4, 0x04034b50], ...fields]);
    parts.push(local, title, content);
    const place = [[2, 0], [2, 0], [2, 0], [4, 0], [4, at]];
    directory.push(pack([[4, 0x02014b50], [2, VERSION], ...fields, ...place]), title);
    at += local.length + title.length + content.size;
  }
  const size = directory.reduce((all, part) => all + part.length, 0);
  const end = pack([
    [4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, size], [4, at], [2, 0],
  ]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** The bytes of `[size, value]` fields, the lowest byte of each first. */
function pack(fields) {
  return Uint8Array.from(fields.flatMap(([size, value]) =>
    Array.from({ length: size }, (_, byte) => (value >>> (8 * byte)) & 255)));
}

/** Time and date of day as two fields, in steps of two seconds. */
function dosTime(date) {
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  const day = (Math.max(0, date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();
  return [[2, time], [2, day]];
}

function crc32(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ CRC_TABLE[(sum ^ byte) & 255];
  return (sum ^ 0xffffffff) >>> 0;
}
