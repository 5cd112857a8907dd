#!/usr/bin/env python3
"""Verifies a log from FORMAT.md alone: reference_verifier.py DIR... Needs Python 3.9 and `cryptography`.

Checks, in this order: every record follows the one before it; every checkpoint's root is the root of the records, and
is signed by the key of the epoch that its last record belongs to; every other file is what follows from those two, and
no file is there that does not belong. It reads no schema: fields of types are not looked into, apart from those that
the format itself is made of. The log must not be written to meanwhile. Each log gets one line that ends with
"verified" or begins with "NOT verified". Exit 0 all verified, 2 usage, 4 not, 11 not since more is gone than a pruning signed.
"""
import base64, binascii, bisect, datetime, hashlib, json, os, pathlib, re, stat, sys, time
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SEGMENT_RECORDS, LINE_BYTES_MAX, TILE_WIDTH, RESERVE_BYTES = 4096, 4096, 256, 524288
FIELD_PRIME, GROUP_ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
# The y of every point whose order is 1, 2, 4 or 8: with such a key a signature proves nothing.
ORDER_EIGHT = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL_ORDER = {0, 1, FIELD_PRIME - 1, ORDER_EIGHT, FIELD_PRIME - ORDER_EIGHT}
ID = "[A-Za-z0-9_-]{21}[AQgw]"
HEADER = {
    "actor": f"a:(system|{ID})", "boot": "[0-9a-f]{8}", "job": f"j:{ID}", "nonce": "[0-9a-f]{32}", "obj": f"o:{ID}",
    "out": "ok|denied|failed", "prev": "[A-Za-z0-9+/]{43}=", "ts": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "type": r"[a-z_]+\.[a-z_]+",
}
# Records that a pruning replaces by their hash, and the shortest period after which it may.
GOES = {"audit.read", "objects.viewed", "posture.process", "request.refused", "session.closed", "session.opened", "token.used",
        "vault.unlock_failed"}
DAYS_MIN = 184
DAY_MS = 86400000
NUMBERS, OPTIONAL = {"epoch", "mono", "seq", "v"}, {"job", "obj"}


class Wrong(Exception):
    code = 4


class Gone(Wrong):
    code = 11


def need(holds, what, kind=Wrong):
    if not holds:
        raise kind(what)


def read(path, bytes_max):
    """A regular file; a link or a pipe is not opened."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        meta = os.fstat(file.fileno())
        need(stat.S_ISREG(meta.st_mode) and meta.st_size <= bytes_max, f"{path.name} is no file, or too large")
        return file.read(meta.st_size)


def files_below(folder, prefix=""):
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(entry.path, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name


def unbase64(text, length):
    data = base64.b64decode(text, validate=True)
    need(len(data) == length and base64.b64encode(data).decode() == text, f"{text}: not base64 of {length} bytes")
    return data


def leaf(line):
    return hashlib.sha256(b"\0" + line).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """RFC 6962, section 2.1, grown leaf by leaf: the roots of the perfect subtrees, with their sizes."""

    def __init__(self):
        self.size, self.roots = 0, []

    def push(self, digest):
        self.size += 1
        width = 1
        while self.roots and self.roots[-1][0] == width:
            digest = node(self.roots.pop()[1], digest)
            width *= 2
        self.roots.append((width, digest))

    def root(self):
        digest = self.roots[-1][1]
        for _, left in reversed(self.roots[:-1]):
            digest = node(left, digest)
        return digest


def check_point(encoded):
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    need(y < FIELD_PRIME and y not in SMALL_ORDER, "a key or signature holds a point that proves nothing")


def is_signed(key, signature, message):
    """RFC 8032, and nothing that a lax verifier lets pass: no point of small order, one spelling of each number."""
    check_point(key)
    check_point(signature[:32])
    need(int.from_bytes(signature[32:], "little") < GROUP_ORDER, "a signature is not in its one form")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def check_value(value, depth=1):
    if isinstance(value, dict):
        need(depth <= 2, "objects in objects")
        for key, inner in value.items():
            check_value(key, depth)
            check_value(inner, depth + 1)
    elif isinstance(value, str):
        need(all(" " <= c <= "~" and c not in '"\\' for c in value), "a character that no string may hold")
    else:
        need(type(value) in (int, bool) and abs(value) < 2**53, "a value that a record may not hold")


def read_record(line, seq):
    need(len(line) < LINE_BYTES_MAX, f"record {seq}: too long")
    record = json.loads(line.decode("ascii"))
    need(isinstance(record, dict), f"record {seq}: no object")
    check_value(record)
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    need(canonical == line, f"record {seq}: not canonical")
    wanted = set(HEADER) | NUMBERS | {"d"}
    need(wanted - OPTIONAL <= set(record) <= wanted, f"record {seq}: keys missing or unknown")
    for key, form in HEADER.items():
        text = record.get(key, None)
        need((text is None and key in OPTIONAL) or (isinstance(text, str) and re.fullmatch(form, text)),
             f"record {seq}: {key}")
    need(all(type(record[key]) is int and record[key] >= 0 for key in NUMBERS), f"record {seq}: a number")
    need(record["v"] == 1 and isinstance(record["d"], dict), f"record {seq}: version")
    return record


def milliseconds(moment):
    """Since 1970, of a time as records carry it."""
    return (datetime.datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%fZ") - datetime.datetime(1970, 1, 1)) // datetime.timedelta(milliseconds=1)


class Log:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        origin = read(self.folder / "origin", 4096)
        need(re.fullmatch(rb"lightproof/[0-9a-f]{32}\n", origin), "origin holds no name")
        self.origin = origin.decode().removesuffix("\n")
        self.leaves, self.keys, self.starts, self.truncated = [], [], [0], {}
        self.prunings, self.gone, self.ends, self.behind = [], -1, {}, None
        self.known = {"origin", "vkeys", "checkpoint"}

    def records(self):
        prev, ts = bytes(32), ""
        names = sorted(path.name for path in (self.folder / "seg").iterdir())
        for index, name in enumerate(names):
            need(not name.endswith(".new"), f"seg/{name} was left by a replacement that was interrupted: the next start removes it")
            need(name == f"{index:08}.jsonl", f"seg/{name} does not belong there")
            need(len(self.leaves) == index * SEGMENT_RECORDS, f"the segment before {name} is not full")
            self.known.add(f"seg/{name}")
            lines = read(self.folder / "seg" / name, SEGMENT_RECORDS * LINE_BYTES_MAX).split(b"\n")
            need(lines.pop() == b"", f"{name} does not end with a whole line")
            need(0 < len(lines) <= SEGMENT_RECORDS, f"{name} is empty or too long")
            for line in lines:
                seq = len(self.leaves)
                if re.fullmatch(b"[0-9a-f]{64}", line):
                    need(seq, "record 0 is gone")
                    self.gone, prev = seq, bytes.fromhex(line.decode())
                    self.leaves.append(prev)
                    continue
                record = read_record(line, seq)
                need(record["seq"] == seq, f"record {seq}: number")
                need(record["epoch"] == max(len(self.keys) - 1, 0), f"record {seq}: epoch")
                need(unbase64(record["prev"], 32) == prev, f"record {seq} does not follow the one before it")
                need(record["ts"] >= ts, f"record {seq} is earlier than the one before it")
                if record["ts"] > ts:
                    self.behind = None
                self.note(seq, record["type"], record["d"], record["ts"])
                prev, ts = leaf(line), record["ts"]
                self.leaves.append(prev)
            if lines[-1][:1] == b"{":
                self.ends[len(self.leaves)] = ts
        need(self.leaves, "there are no records")

    def note(self, seq, kind, d, ts):
        """What the rest depends on."""
        need((kind == "log.created") == (seq == 0), f"record {seq}: log.created is the first record and no other")
        if kind in ("log.created", "key.epoch_rotated"):
            self.keys.append(unbase64(d["key"], 32))
        if kind == "key.epoch_rotated":
            need(d["next"] == len(self.keys) - 1, f"record {seq}: does not hand over to the next epoch")
            self.starts.append(seq + 1)
        if kind == "key.destroyed":
            need(d["destroyed"] == len(self.keys) - 2, f"record {seq}: does not name the epoch before this one")
        if kind == "recovery.truncated":
            self.truncated.setdefault(d["sha256"], seq)
        if kind == "clock.anomaly" and d["delta_ms"] < 0:
            self.behind = milliseconds(ts) + d["delta_ms"]
        if kind == "log.pruned":
            first, before = d["first"], self.prunings[-1][1] if self.prunings else 0
            need(first % SEGMENT_RECORDS == 0 and before <= first <= seq, f"record {seq}: prunes what it cannot")
            self.prunings.append((seq, first, d["sha256"], d["days"], ts))

    def pruned(self):
        """Each hash in the place of a record was signed away, and not too early; each pruning left earlier ones as they were."""
        end = self.prunings[-1][1] if self.prunings else 0
        need(self.gone < end, f"record {self.gone} is gone, and no pruning says so", Gone)
        digest, at, due = hashlib.sha256(), 0, False
        # A pruning may carry a time that has not come: the clock of now, and one that the log found to be behind its own time, tell.
        now = int(time.time() * 1000)
        latest = (now if self.behind is None else min(now, self.behind)) + DAY_MS
        for seq, first, signed, days, ts in self.prunings:
            last = self.ends.get(first)
            is_old = last and milliseconds(last) + days * DAY_MS <= min(milliseconds(ts), latest)
            need(days >= DAYS_MIN and (first == 0 or is_old), f"record {seq} prunes what is too young, or a clock is wrong", Gone)
            while at < first:
                for line in read(self.folder / f"seg/{at // SEGMENT_RECORDS:08}.jsonl", 1 << 30).splitlines():
                    at += 1
                    if line[:1] == b"{" and json.loads(line)["type"] in GOES and at % SEGMENT_RECORDS:
                        line, due = leaf(line).hex().encode(), True
                    digest.update(line + b"\n")
            need(digest.hexdigest() == signed, "what is left of pruned records is not what was signed", Gone)
        need(not due, "the last pruning is not finished; the next start of the program finishes it")

    def checkpoints(self):
        """Returns the bytes of each, by the size that it signs."""
        notes, tree, parts = {}, Tree(), []
        names = ["checkpoints.log"]
        while os.path.lexists(self.folder / f"checkpoints.{len(names)}.log"):
            names.append(f"checkpoints.{len(names)}.log")
        for name in names:
            inside = read(self.folder / name, 1 << 40).decode().split("\n\n")
            need(inside.pop() == "" and len(inside) % 2 == 0, f"{name} does not end with a whole checkpoint")
            need(inside or (name == names[-1] and len(names) > 1), f"{name} is empty, and is not the newest of several")
            self.known.add(name)
            parts += inside
        for body, signatures in zip(parts[0::2], parts[1::2]):
            name, digits, encoded = body.split("\n")
            need(re.fullmatch("[1-9][0-9]{0,18}", digits), "a checkpoint without a size")
            size = int(digits)
            need(name == self.origin and size > tree.size, f"checkpoint {size}: name or order")
            need(size <= len(self.leaves), f"checkpoint {size}: only {len(self.leaves)} records are there")
            while tree.size < size:
                tree.push(self.leaves[tree.size])
            need(unbase64(encoded, 32) == tree.root(), f"checkpoint {size}: the records are not those signed")
            self.check_signatures(size, body, signatures.split("\n"))
            notes[size] = f"{body}\n\n{signatures}\n".encode()
        need(tree.size == len(self.leaves), f"{len(self.leaves)} records, {tree.size} signed")
        need(all(start in notes for start in self.starts[1:]), "no checkpoint signs a hand-over")
        return notes, tree.root()

    def check_signatures(self, size, body, lines):
        epoch = bisect.bisect_left(self.starts, size) - 1
        wanted = {epoch, epoch + 1} if size in self.starts[epoch + 1:epoch + 2] else {epoch}
        found = set()
        for line in lines:
            mark, who, payload = line.split(" ")
            need((mark, who) == ("\u2014", self.origin), f"checkpoint {size}: a foreign signature line")
            payload = unbase64(payload, 68)
            for e in wanted:
                key = self.keys[e]
                if payload[:4] == self.key_id(key) and is_signed(key, payload[4:], f"{body}\n".encode()):
                    found.add(e)
        need(found == wanted and len(lines) == len(wanted), f"checkpoint {size}: not the signatures of epoch {epoch}")

    def key_id(self, key):
        return hashlib.sha256(self.origin.encode() + b"\n\x01" + key).digest()[:4]

    def verify_key(self, key):
        encoded = base64.b64encode(b"\x01" + key).decode()
        return f"{self.origin}+{self.key_id(key).hex()}+{encoded}\n"

    def same(self, name, wanted):
        need(read(self.folder / name, len(wanted)) == wanted, f"{name} does not follow from the records")
        self.known.add(name)

    def copies(self, notes):
        self.same("checkpoint", notes[len(self.leaves)])
        self.same("vkeys", "".join(map(self.verify_key, self.keys)).encode())
        for epoch, start in enumerate(self.starts):
            if epoch:
                self.same(f"epochs/{epoch}.note", notes[start])

    def tiles(self):
        level, hashes = 0, self.leaves
        while hashes:
            full = []
            for index in range(0, len(hashes), TILE_WIDTH):
                tile = hashes[index:index + TILE_WIDTH]
                name, rest = f"{index // TILE_WIDTH % 1000:03}", index // TILE_WIDTH // 1000
                while rest:
                    name, rest = f"x{rest % 1000:03}/{name}", rest // 1000
                partial = "" if len(tile) == TILE_WIDTH else f".p/{len(tile)}"
                self.same(f"tile/{level}/{name}{partial}", b"".join(tile))
                if len(tile) == TILE_WIDTH:
                    tree = Tree()
                    for digest in tile:
                        tree.push(digest)
                    full.append(tree.root())
            level, hashes = level + 1, full

    def quarantine(self, files):
        kept = {}
        for name in files:
            if name.startswith("quarantine/"):
                match = re.fullmatch("quarantine/(records|checkpoints)-(0|[1-9][0-9]*)-([0-9a-f]{64})", name)
                need(match, f"{name}: no name of a file in quarantine")
                digest = hashlib.sha256(read(self.folder / name, 16 << 20)).hexdigest()
                need(digest == match[3] and digest in self.truncated, f"{name} is not what was put there")
                kept[digest] = min(int(match[2]), kept.get(digest, int(match[2])))
                self.known.add(name)
        for digest, seq in self.truncated.items():
            need(kept.get(digest, seq + 1) <= seq, f"what record {seq} moved to quarantine is not there")

    def secret(self, files):
        """The private key does not belong in an auditor's copy; if it is there it is the current one."""
        if "epoch.key" not in files:
            return
        line = read(self.folder / "epoch.key", 4096).decode("ascii")
        seed = unbase64(line[-45:-1], 33)[1:]
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        encoded = base64.b64encode(b"\x01" + seed).decode()
        need(raw == self.keys[-1] and line == f"PRIVATE+KEY+{self.origin}+{self.key_id(raw).hex()}+{encoded}\n",
             "epoch.key is not the key of the last epoch")
        self.known.add("epoch.key")

    def others(self, files):
        if "reserve" in files:
            meta = os.lstat(self.folder / "reserve")
            need(stat.S_ISREG(meta.st_mode) and meta.st_size == RESERVE_BYTES, "reserve is not what was made")
            self.known.add("reserve")
        for folder in ("reserve", "epoch.key"):
            need(folder in files or not os.path.lexists(self.folder / folder), f"{folder} is a folder")
        need(files <= self.known, f"does not belong to the log: {sorted(files - self.known)}")


def main(folder):
    log = Log(folder)
    log.records()
    notes, root = log.checkpoints()
    log.pruned()
    log.copies(notes)
    log.tiles()
    files = set(files_below(log.folder))
    log.quarantine(files)
    log.secret(files)
    log.others(files)
    print(f"first key {log.verify_key(log.keys[0])}", end="")
    print(f"{len(log.leaves)} records, {len(log.keys)} epochs, root {root.hex()}: verified")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(2)
    code = 0
    for name in sys.argv[1:]:
        try:
            main(name)
        except (Wrong, KeyError, TypeError, ValueError, RecursionError, binascii.Error, OSError) as error:
            print(f"NOT verified: {error!r}")
            code = max(code, getattr(error, "code", 4))
    sys.exit(code)
