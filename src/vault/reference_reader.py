#!/usr/bin/env python3
"""An independent reader of vault files and sealed objects, written from FORMAT.md. It shares no code with the program.

    pip install 'cryptography>=44'
    reference_reader.py STATE_FOLDER OUTPUTS_FOLDER --secret-file FILE [--operator NAME] [--extract FOLDER]
    reference_reader.py --unpack BACKUP FOLDER --secret-file FILE [--operator NAME]

and --machine-secret-file FILE where a passphrase opens the vault together with the machine secret alone, and --second-secret-file FILE
and --second-operator NAME where two people open it together.

Prints one JSON line for the vault and one for each object; with --extract also writes every preview and content. With
--unpack it takes a backup apart into FOLDER, as `state` and `outputs`, which it reads then like any others, and what the
caller of the vault had put beside them. The secret is a passphrase, a recovery code, or the bytes of a machine secret. Exit 0: everything opened. 1: something did not. 2: wrong secret. 3: the
secret is an auditor's, which opens the public part and no object.
"""
import argparse, hashlib, hmac, json, pathlib, struct, sys, unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PASSPHRASE, RECOVERY, MACHINE, JOINT, PASSPHRASE_AND_MACHINE, AUDITOR = 1, 2, 3, 4, 5, 2
CHUNK, TAG = 16 * 1024, 16


class Refused(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Refused(why)


def mac(key, message):
    return hmac.new(key, message, hashlib.sha512).digest()


def unseal(key, context, sealed):
    """Cobblestone-256, https://c2sp.org/chunked-encryption."""
    need(len(sealed) >= 72, "length")
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + sealed[:24] + context
    first = mac(key, info + b"\1")
    okm = first + mac(key, first + info + b"\2")
    need(hmac.compare_digest(okm[44:76], sealed[24:56]), "commitment")
    aead, nonce, body = AESGCM(okm[:32]), int.from_bytes(okm[32:44], "big"), sealed[56:]
    need(TAG <= len(body) % (CHUNK + TAG), "truncated")
    plain = []
    for index, at in enumerate(range(0, len(body), CHUNK + TAG)):
        try:
            chunk = body[at : at + CHUNK + TAG]
            plain.append(aead.decrypt((nonce ^ index).to_bytes(12, "big"), chunk, None))
        except InvalidTag:
            raise Refused(f"chunk {index}") from None
    return b"".join(plain)


def recovery_bytes(text):
    """The 20 bytes of a recovery code, or None if this is none."""
    text = text.strip().upper().replace(" ", "").replace("-", "")
    text = text.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(text) != 36 or any(c not in CROCKFORD for c in text):
        return None
    bits = "".join(f"{CROCKFORD.index(c):05b}" for c in text)
    code = int(bits[:160], 2).to_bytes(20, "big")
    check = hashlib.sha256(b"lp1/recovery" + code).digest()
    return code if f"{int.from_bytes(check[:3], 'big'):024b}"[:20] == bits[160:] else None


class Vault:
    def __init__(self, file, anchor, secrets, machine=None):
        self.file = file
        self.read_head(file)
        self.role, key = self.open_slots(secrets, machine)
        seals = file[self.head : self.head + 144]
        if self.role == AUDITOR:
            unseal(key, b"lp1/view" + file[: self.head], seals[72:])
        else:
            unseal(key, b"lp1/header" + file[: self.head], seals[:72])
        self.log_key = None if self.role == AUDITOR else self.derive_log_key(key, anchor)
        self.read_log()
        if self.format == 2 and self.log_key:
            for slot in self.slots:
                number = int.from_bytes(slot[2:4], "big")
                need(slot[0] not in (PASSPHRASE, PASSPHRASE_AND_MACHINE) or self.is_of(slot, self.names.get(number, "")), "a slot without its name")

    def read_head(self, file):
        self.format = int.from_bytes(file[8:10], "big")
        need(self.format in (1, 2), "not a vault file of format 1 or 2")
        need(file[:8] + file[10:16] == b"\x8aLPV\r\n\x1a\n\0\1\0\0\0\0", "not a vault file of format 1 or 2")
        self.id, self.epoch, count = file[16:32], *struct.unpack(">Q16xH", file[32:58])
        need(1 <= count <= 16 and file[58:64] == bytes(6), "header")
        self.slots = [file[64 + 256 * i : 320 + 256 * i] for i in range(count)]
        self.head = 64 + 256 * count
        need(len(file) >= self.head + 144, "too short")

    def is_of(self, slot, name):
        """Whether a slot of format 2 is that of the person of this name."""
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower()).encode()
        return hashlib.sha256(b"lp1/slot/name" + self.id + slot[2:4] + slot[16:32] + folded).digest()[:16] == slot[32:48]

    def open_slots(self, secrets, machine):
        """Role, and MK or VK, by the secret of one person, or by those of two."""
        slot, slot_secret = self.find_slot(*secrets[0], machine)
        joint = [slot for slot in self.slots if slot[0] == JOINT]
        alone = slot[0] in (RECOVERY, MACHINE) or slot[1] == AUDITOR or not joint
        if not alone:
            need(len(secrets) == 2, "two people open this vault together")
            other, other_secret = self.find_slot(*secrets[1], machine)
            (low, low_secret), (high, high_secret) = sorted([(slot[3], slot_secret), (other[3], other_secret)])
            opens = [both for both in joint if both[2:4] == bytes((low, high))]
            need(opens, "these two do not open this vault together")
            context = b"lp1/slot/secret" + self.id + opens[0][:48]
            slot_secret = unseal(mac(low_secret, b"lp1/slot/joint" + high_secret)[:32], context, opens[0][48:152])
        role, wraps = slot[1], slot if alone else opens[0]
        context = b"lp1/slot/view" if role == AUDITOR else b"lp1/slot/master"
        return role, unseal(slot_secret, context + self.id + wraps[:48], wraps[152:])

    def find_slot(self, secret, operator, machine):
        """The slot that a secret is of, and its slot secret."""
        typed_as = {MACHINE: secret if 32 <= len(secret) <= 4096 else None}
        try:
            text = secret.decode("utf-8")
            typed_as[RECOVERY] = recovery_bytes(text)
            typed_as[PASSPHRASE] = unicodedata.normalize("NFC", text.removesuffix("\n").removesuffix("\r")).encode()
            typed_as[PASSPHRASE_AND_MACHINE] = typed_as[PASSPHRASE] if machine else None
        except UnicodeDecodeError:
            pass
        for slot in self.slots:
            kind, role, _, memory, passes, lanes = struct.unpack(">BBHIII", slot[:16])
            need(kind in (1, 2, 3, 4, 5) and role in (1, 2, 3), "unknown slot")
            need(19 * 1024 <= memory <= 4 << 20 and 1 <= passes <= 64 and 1 <= lanes <= 16, "KDF parameters")
            typed = typed_as.get(kind)
            if typed is None:
                continue
            if self.format == 2 and kind in (PASSPHRASE, PASSPHRASE_AND_MACHINE) and operator is not None and not self.is_of(slot, operator):
                continue
            half = machine if kind == PASSPHRASE_AND_MACHINE else None
            kdf = Argon2id(salt=slot[16:48], length=32, iterations=passes, lanes=lanes, memory_cost=memory, secret=half)
            try:
                return slot, unseal(kdf.derive(typed), b"lp1/slot/secret" + self.id + slot[:48], slot[48:152])
            except Refused:
                continue
        raise Refused("wrong secret")

    def derive_log_key(self, master, anchor):
        at = 2048 * (self.epoch % 2)
        cell = anchor[at : at + 64]
        need(cell[40:] == hashlib.sha256(cell[:40]).digest()[:24], "the epoch key is gone")
        need(cell[:8] == self.epoch.to_bytes(8, "big"), "the epoch key is gone")
        return mac(mac(cell[8:40], master), b"lp1/log" + self.file[:64] + b"\1")[:32]

    def read_log(self):
        """Walks the frames; opens the records when there is a key. A torn tail is left out."""
        file, at = self.file, self.head + 144
        self.root, self.seq = hashlib.sha256(file[:at]).digest(), 0
        self.objects, self.tombstones, self.marks, self.names = {}, [], {}, {}
        while len(file) - at >= 8:
            length, check, position = file[at : at + 4], file[at + 4 : at + 8], self.seq.to_bytes(8, "big")
            if hashlib.sha256(b"lp1/length" + position + self.root + length).digest()[:4] != check:
                need(not any(file[at:]), f"damaged at record {self.seq}")
                break
            end = at + 8 + int.from_bytes(length, "big")
            if end > len(file):
                break
            if self.log_key:
                try:
                    entries = unseal(self.log_key, b"lp1/record" + position + self.root, file[at + 8 : end])
                except Refused:
                    need(end == len(file), f"damaged at record {self.seq}")
                    break
                self.read_entries(entries)
            self.root, self.seq, at = hashlib.sha256(self.root + file[at:end]).digest(), self.seq + 1, end

    def read_entries(self, entries):
        while entries:
            kind, length = struct.unpack(">BI", entries[:5])
            body, entries = entries[5 : 5 + length], entries[5 + length :]
            need(len(body) == length, "entry")
            if kind == 1:
                id_, key, salt, created, preview, content, n = struct.unpack(">16s32s16sQQQH", body[:90])
                name, rest = body[90 : 90 + n].decode(), body[90 + n :]
                need(int.from_bytes(rest[:4], "big") == len(rest) - 4, "metadata")
                self.objects[id_] = (key, salt, created, preview, content, name, rest[4:])
            elif kind == 2:
                id_, erased, reason, epoch = struct.unpack(">16sQHQ", body)
                self.tombstones.append({"id": id_.hex(), "erased_ms": erased, "reason": reason, "epoch": epoch})
            elif kind == 6:
                self.marks[body[0]] = body[1:].hex()
            elif kind == 7 and self.format == 2:
                self.names[int.from_bytes(body[:2], "big")] = body[2:].decode()
            else:
                need(kind == 4, f"unknown entry {kind}")

    def open_object(self, id_, file):
        key, _, _, preview, content, _, _ = self.objects[id_]
        sizes = [72 + n + n // CHUNK * TAG for n in (preview, content)]
        head = b"\x8aLPO\r\n\x1a\n\0\1\0\1\0\0\0\0" + self.id + id_ + struct.pack(">QQ", *sizes)
        need(file[:64] == head, "object header")
        need(len(file) == 64 + sum(sizes), "object length")
        at = 64 + sizes[0]
        context = b"lp1/object" + head
        return unseal(key, context + b"\1", file[64:at]), unseal(key, context + b"\2", file[at:])


def unpack(data, secrets, machine, folder):
    """Takes a backup apart: its vault file, an anchor with its epoch key, its sealed files, and what else is in it."""
    need(data[:16] == b"\x8aLPB\r\n\x1a\n\0\1\0\1\0\0\0\0", "not a backup of format 1")
    at = 64 + int.from_bytes(data[56:60], "big")
    head = data[64:at]
    vault = Vault.__new__(Vault)
    vault.read_head(head)
    need(vault.id == data[16:32], "the head of another vault")
    role, master = vault.open_slots(secrets, machine)
    need(role != AUDITOR, "an auditor's secret opens no backup")
    key = mac(mac(data[:64], master), b"lp1/backup\1")[:32]
    root, seq, files, current = hashlib.sha256(data[:at]).digest(), 0, [], None
    while True:
        length, check, position = data[at : at + 4], data[at + 4 : at + 8], seq.to_bytes(8, "big")
        expected = hashlib.sha256(b"lp1/length" + position + root + length).digest()[:4]
        end = at + 8 + int.from_bytes(length, "big")
        need(expected == check and end <= len(data), f"damaged or cut off at record {seq}")
        plain = unseal(key, b"lp1/record" + position + root, data[at + 8 : end])
        root, seq, at = hashlib.sha256(root + data[at:end]).digest(), seq + 1, end
        need(current is None or len(current[3]) == current[1] or plain[0] == 2, "a file without its end")
        if plain[0] == 1:
            current = [plain[1], int.from_bytes(plain[2:10], "big"), plain[10:].decode(), b""]
            files.append(current)
        elif plain[0] == 2:
            current[3] += plain[1:]
        else:
            need(plain == b"\3" + len(files).to_bytes(8, "big") and at == len(data), "the end")
            break
    need([file[0] for file in files[:2]] == [1, 2] and len(files[1][3]) == 32, "vault file and epoch key")
    need(files[0][3].startswith(head), "the head of another vault file")
    live = vault.epoch.to_bytes(8, "big") + files[1][3]
    live += hashlib.sha256(live).digest()[:24]
    cells = [live + bytes(1984), bytes(2048)]
    files[1][3] = b"".join(cells if vault.epoch % 2 == 0 else reversed(cells))
    folders = {1: "state", 2: "state", 3: "outputs", 4: "first", 5: "second"}
    for place, _, name, content in files:
        path = folder / folders[place] / (name or {1: "vault", 2: "anchor"}.get(place, "file"))
        need(folder.resolve() in path.resolve().parents, "a name that leads elsewhere")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    print(json.dumps({"backup": data[32:48].hex(), "made_ms": int.from_bytes(data[48:56], "big"), "files": len(files)}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--unpack", action="store_true", help="STATE is a backup, and OUTPUTS the folder to unpack it into")
    parser.add_argument("state", type=pathlib.Path)
    parser.add_argument("outputs", type=pathlib.Path)
    parser.add_argument("--secret-file", type=pathlib.Path, required=True)
    parser.add_argument("--operator", help="whose secret it is; without it every slot is tried")
    parser.add_argument("--machine-secret-file", type=pathlib.Path, help="what a passphrase goes with")
    parser.add_argument("--second-secret-file", type=pathlib.Path, help="that of who opens the vault together with them")
    parser.add_argument("--second-operator", help="whose that is")
    parser.add_argument("--extract", type=pathlib.Path)
    args = parser.parse_args()
    machine = args.machine_secret_file.read_bytes() if args.machine_secret_file else None
    secrets = [(args.secret_file.read_bytes(), args.operator)]
    if args.second_secret_file:
        secrets.append((args.second_secret_file.read_bytes(), args.second_operator))
    try:
        if args.unpack:
            unpack(args.state.read_bytes(), secrets, machine, args.outputs)
            return 0
        files = [(args.state / name).read_bytes() for name in ("vault", "anchor")]
        vault = Vault(*files, secrets, machine)
    except Refused as why:
        print(why, file=sys.stderr)
        return 2 if str(why) == "wrong secret" else 1
    roles = {1: "operator", 2: "auditor", 3: "admin"}
    public = {"vault": vault.id.hex(), "epoch": vault.epoch, "seq": vault.seq, "root": vault.root.hex()}
    print(json.dumps(public | {"role": roles[vault.role], "tombstones": vault.tombstones, "marks": vault.marks, "names": vault.names}))
    if vault.role == AUDITOR:
        print("an auditor's secret opens no object", file=sys.stderr)
        return 3
    failed = 0
    for id_, (_, salt, created, preview, content, name, metadata) in vault.objects.items():
        line = {"id": id_.hex(), "name": name, "created_ms": created, "salt": salt.hex(), "metadata": metadata.hex()}
        try:
            sections = vault.open_object(id_, (args.outputs / f"{name}.sealed").read_bytes())
            need([len(section) for section in sections] == [preview, content], "section lengths")
            line |= {"sha256": [hashlib.sha256(section).hexdigest() for section in sections]}
            if args.extract:
                for section, suffix in zip(sections, (".preview", "")):
                    (args.extract / (name + suffix)).write_bytes(section)
        except (Refused, OSError) as why:
            failed = 1
            line |= {"error": str(why)}
        print(json.dumps(line))
    return failed


if __name__ == "__main__":
    sys.exit(main())
