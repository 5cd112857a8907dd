import base64, hashlib, json, pathlib, re
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

def leaf(record): return hashlib.sha256(b"\0" + record).digest()
def node(left, right): return hashlib.sha256(b"\1" + left + right).digest()

def root(index, size, digest, path):
    """RFC 9162, section 2.1.3.2."""
    at, last = index, size - 1
    for other in path:
        assert last > 0
        if at & 1 or at == last:
            digest = node(other, digest)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            digest = node(digest, other)
        at, last = at >> 1, last >> 1
    assert last == 0
    return digest

def is_signed(note, vkey):
    """c2sp.org/signed-note: some line carries a signature by this key. Raises if it does not hold."""
    name, key_id, key = vkey.split("+", 2)
    body, signatures = note.split("\n\n")
    key = base64.b64decode(key)
    assert key[:1] == b"\1" and hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id
    for line in signatures.strip("\n").split("\n"):
        who, payload = line.removeprefix("\u2014 ").split(" ")
        payload = base64.b64decode(payload)
        if who == name and payload[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(payload[4:], body.encode() + b"\n")
            return True
    return False

def prove(record, proof):
    """c2sp.org/tlog-proof. Returns the checkpoint, and its size."""
    head, note = proof.split("\n\n", 1)
    first, index, *path = head.split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    index = int(index.removeprefix("index "))
    origin, size, wanted = note.split("\n\n")[0].split("\n")
    found = root(index, int(size), leaf(record), [base64.b64decode(line) for line in path])
    assert json.loads(record)["seq"] == index and found == base64.b64decode(wanted)
    return note, int(size)

vkeys = open("audit/vkeys").read().splitlines()
print("first key", vkeys[0])
for epoch, line in enumerate(open("audit/hand-overs.jsonl"), 1):
    hand_over = json.loads(line)
    note, size = prove(hand_over["record"].encode(), hand_over["proof"])
    record = json.loads(hand_over["record"])
    assert record["type"] == "key.epoch_rotated" and record["d"]["next"] == epoch and size == record["seq"] + 1
    named = base64.b64decode(record["d"]["key"])
    assert base64.b64decode(vkeys[epoch].split("+", 2)[2])[1:] == named
    assert is_signed(note, vkeys[epoch - 1]) and is_signed(note, vkeys[epoch])
assert len(vkeys) == 1 + sum(1 for _ in open("audit/hand-overs.jsonl"))
checkpoint = open("audit/checkpoint").read()
assert is_signed(checkpoint, vkeys[-1])

cited = []
for path in pathlib.Path("audit").glob("cited/*.json"):
    record = path.read_bytes()
    note, _ = prove(record, open(f"audit/proofs/{path.stem}.tlog-proof").read())
    assert note == checkpoint
    cited.append(json.loads(record))

# Up to where records were pruned, what is left of them, and the types of those that go.
ends = [(record["seq"], record["d"]["first"], record["d"]["sha256"]) for record in cited if record["type"] == "log.pruned"]
_, end, signed = max(ends, default=(0, 0, ""))
GOES = {"audit.read", "objects.viewed", "posture.process", "request.refused", "session.closed", "session.opened", "token.used",
        "vault.unlock_failed"}
before, seq, first, row, pruned, left = None, None, None, {}, 0, hashlib.sha256()
has_around = pathlib.Path("audit/around.json").exists()
for line in open("audit/records.jsonl", "rb"):
    line = line.rstrip(b"\n")
    if seq is not None and re.fullmatch(b"[0-9a-f]{64}", line):
        before, seq, pruned = bytes.fromhex(line.decode()), seq + 1, pruned + 1
        assert seq < end
    else:
        record = json.loads(line)
        assert seq is None or (base64.b64decode(record["prev"]) == before and record["seq"] == seq + 1)
        before, seq = leaf(line), record["seq"]
    first = seq if first is None else first
    if seq < end:
        goes = line[:1] == b"{" and record["type"] in GOES and (seq + 1) % 4096
        left.update((before.hex().encode() if goes else line) + b"\n")
    if has_around:
        row[seq] = before
if pruned or has_around:
    around = iter(json.load(open("audit/around.json"))["hashes"])

    def over(start, end):
        """RFC 9162, section 2.1.1: from the row, and the hashes over what lies before and behind it."""
        if end <= first or start > seq:
            return bytes.fromhex(next(around))
        if end - start == 1:
            return row[start]
        half = 1 << (end - start - 1).bit_length() - 1
        left = over(start, start + half)
        return node(left, over(start + half, end))

    # What is left is signed from record 0 on.
    assert first > 0 or seq + 1 < end or left.hexdigest() == signed
    origin, size, wanted = checkpoint.split("\n\n")[0].split("\n")
    assert over(0, int(size)) == base64.b64decode(wanted) and next(around, None) is None
if seq is not None:
    assert open(f"audit/cited/{seq}.json", "rb").read() == line
    print(f"records {first} to {seq}" + (f", of {pruned} of which only the hash is left" if pruned else ""))
