"""What somebody does to a vault who knows its passphrase and has another program: written from FORMAT.md of the vault, with its
reference reader and none of the program's code.

    another_program.py picture STATE OUTPUTS SECRET_FILE FROM TO      seals the newest picture again with other bytes of the same
                                                                      number in the place of some, at the end of its PNG or before
    another_program.py passphrase STATE OUTPUTS SECRET_FILE KIB PASSES  rolls the vault; its passphrase costs as much as that to guess
"""

import hashlib
import os
import pathlib
import struct
import sys
import unicodedata
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "src" / "vault"))
from reference_reader import AESGCM, CHUNK, PASSPHRASE, TAG, Argon2id, Vault, mac, unseal


def seal(key, context, message):
    salt = os.urandom(24)
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    first = mac(key, info + b"\1")
    okm = first + mac(key, first + info + b"\2")
    aead, nonce = AESGCM(okm[:32]), int.from_bytes(okm[32:44], "big")
    chunks = [message[at : at + CHUNK] for at in range(0, len(message) + 1, CHUNK)]
    sealed = (aead.encrypt((nonce ^ i).to_bytes(12, "big"), chunk, None) for i, chunk in enumerate(chunks))
    return salt + okm[44:76] + b"".join(sealed)


class Whole(Vault):
    """With all entries of its log as they are."""

    entries = b""

    def read_entries(self, entries):
        self.entries += entries
        super().read_entries(entries)


def with_checks(png):
    """The same chunks, each with its own check."""
    out, at = png[:8], 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        body = png[at + 4 : at + 8 + length]
        out += png[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big")
        at += 12 + length
    return out


def picture(vault, outputs, before, after):
    id_, (key, _, _, preview, _, name, _) = max(vault.objects.items(), key=lambda item: item[1][2])
    path = outputs / f"{name}.sealed"
    file = path.read_bytes()
    _, content = vault.open_object(id_, file)
    assert len(before) == len(after) and content.count(before) == 1, (before, after, content.count(before))
    at = 64 + 72 + preview + preview // CHUNK * TAG
    context = b"lp1/object" + file[:64] + b"\2"
    path.write_bytes(file[:at] + seal(key, context, with_checks(content.replace(before, after))))


def passphrase(vault, state, typed, kib, passes):
    """A roll, as FORMAT.md says: new keys, an epoch more, and every slot leads to them."""
    file, epoch, secrets, rest = vault.file, vault.epoch + 1, {}, vault.entries
    while rest:
        kind, length = struct.unpack(">BI", rest[:5])
        body, rest = rest[5 : 5 + length], rest[5 + length :]
        if kind == 4:
            secrets[body[:2]] = body[2:]
    master, view, epoch_key = os.urandom(32), os.urandom(32), os.urandom(32)
    head = file[:32] + epoch.to_bytes(8, "big") + os.urandom(16) + file[56:64]
    for slot in vault.slots:
        secret, sealed = secrets[slot[2:4]], slot[48:152]
        if slot[0] == PASSPHRASE:
            slot = slot[:4] + struct.pack(">II", kib, passes) + slot[12:48]
            lanes = int.from_bytes(slot[12:16], "big")
            kdf = Argon2id(salt=slot[16:48], length=32, iterations=passes, lanes=lanes, memory_cost=kib)
            sealed = seal(kdf.derive(typed), b"lp1/slot/secret" + vault.id + slot, secret)
        head += slot[:48] + sealed + seal(secret, b"lp1/slot/master" + vault.id + slot[:48], master)
    new = head + seal(master, b"lp1/header" + head, b"") + seal(view, b"lp1/view" + head, b"")
    root, first = hashlib.sha256(new).digest(), bytes(8)
    log_key = mac(mac(epoch_key, master), b"lp1/log" + new[:64] + b"\1")[:32]
    record = seal(log_key, b"lp1/record" + first + root, vault.entries)
    length = len(record).to_bytes(4, "big")
    new += length + hashlib.sha256(b"lp1/length" + first + root + length).digest()[:4] + record
    live = epoch.to_bytes(8, "big") + epoch_key
    cells = [live + hashlib.sha256(live).digest()[:24], os.urandom(56) + b"lp1/wipe"]
    cells = [cell + os.urandom(1984) for cell in (cells if epoch % 2 == 0 else reversed(cells))]
    for name, content in (("vault", new), ("vault.mirror", new), ("anchor", b"".join(cells))):
        (state / name).write_bytes(content)


def main():
    what, state, outputs, secret_file, *rest = sys.argv[1:]
    state, outputs, secret = pathlib.Path(state), pathlib.Path(outputs), pathlib.Path(secret_file).read_bytes()
    vault = Whole((state / "vault").read_bytes(), (state / "anchor").read_bytes(), [(secret, None)])
    if what == "picture":
        picture(vault, outputs, *(text.encode() for text in rest))
    else:
        typed = unicodedata.normalize("NFC", secret.decode().removesuffix("\n")).encode()
        passphrase(vault, state, typed, *map(int, rest))


main()
