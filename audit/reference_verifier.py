#!/usr/bin/env python3
"""Verifies a log from FORMAT.md alone: reference_verifier.py DIR. Needs Python 3.9 and the package `cryptography`.

Checks, in this order: every record follows the one before it, every checkpoint's root is the root of the records, and
every checkpoint is signed by the key of the epoch that its last record belongs to. Exit 0 verified, 4 not.
"""
import base64, hashlib, json, pathlib, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SEGMENT_RECORDS = 4096


def leaf(line):
    return hashlib.sha256(b"\0" + line).digest()


def root(leaves):
    """RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + root(leaves[:k]) + root(leaves[k:])).digest()


def main(folder):
    folder = pathlib.Path(folder)
    origin = (folder / "origin").read_text().removesuffix("\n")
    leaves, keys, starts, prev = [], [], [0], bytes(32)
    for segment in sorted((folder / "seg").iterdir()):
        lines = segment.read_bytes().split(b"\n")
        assert lines.pop() == b"", f"{segment.name} does not end with a whole line"
        for line in lines:
            seq, record = len(leaves), json.loads(line)
            assert segment.name == f"{seq // SEGMENT_RECORDS:08}.jsonl", f"record {seq} lies in the wrong segment"
            assert json.dumps(record, sort_keys=True, separators=(",", ":")).encode() == line, f"record {seq}: form"
            assert record["seq"] == seq and record["epoch"] == max(len(keys) - 1, 0), f"record {seq}: number or epoch"
            assert base64.b64decode(record["prev"]) == prev, f"record {seq} does not follow the one before it"
            if record["type"] in ("log.created", "key.epoch_rotated"):
                keys.append(base64.b64decode(record["d"]["key"]))
                if seq:
                    starts.append(seq + 1)
            prev = leaf(line)
            leaves.append(prev)
    signed = 0
    notes = (folder / "checkpoints.log").read_bytes().decode().split("\n\n")
    assert notes.pop() == "" and len(notes) % 2 == 0, "checkpoints.log does not end with a whole checkpoint"
    for body, signatures in zip(notes[0::2], notes[1::2]):
        name, size, encoded = body.split("\n")
        size = int(size)
        assert name == origin and size > signed, f"checkpoint {size}: name or order"
        assert base64.b64decode(encoded) == root(leaves[:size]), f"checkpoint {size}: the records are not those signed"
        epoch = max(e for e, start in enumerate(starts) if start < size)
        wanted = {epoch, epoch + 1} if size in starts else {epoch}
        found = set()
        for line in signatures.split("\n"):
            mark, who, payload = line.split(" ")
            payload = base64.b64decode(payload)
            for e in wanted:
                key_id = hashlib.sha256(origin.encode() + b"\n\x01" + keys[e]).digest()[:4]
                if (mark, who, payload[:4]) == ("\u2014", origin, key_id):
                    Ed25519PublicKey.from_public_bytes(keys[e]).verify(payload[4:], (body + "\n").encode())
                    found.add(e)
        assert found == wanted, f"checkpoint {size} is not signed by the key of epoch {epoch}"
        signed = size
    assert signed == len(leaves), f"{len(leaves)} records, {signed} signed"
    print(f"{signed} records, {len(keys)} epochs, root {root(leaves).hex()}: verified")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(2)
    try:
        main(sys.argv[1])
    except (AssertionError, InvalidSignature, KeyError, ValueError, OSError) as error:
        print(f"NOT verified: {error!r}")
        sys.exit(4)
