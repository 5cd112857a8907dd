#!/usr/bin/env python3
"""Other people's programs over a bundle: oracles.py DIR. Needs the packages `compliance-trestle` and `rfc8785`.

Every JSON file is written again by `rfc8785` and must come out byte for byte; `compliance-trestle` reads and validates
every OSCAL file; `securesystemslib`, the library of in-toto, verifies the signature. Exit 0 and "accepted" if all of it holds.
"""
import contextlib, hashlib, io, json, os, pathlib, sys, tempfile
import rfc8785
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
from trestle.cli import Trestle

bundle = pathlib.Path(sys.argv[1]).resolve()
wrong = []
for path in sorted(bundle.rglob("*.json")):
    try:
        canonical = rfc8785.dumps(json.loads(path.read_bytes()))
    except Exception as error:
        canonical = repr(error).encode()
    if canonical != path.read_bytes():
        wrong.append(f"{path.name}: not canonical")


def trestle(*arguments):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        sys.argv = ["trestle", *arguments]
        try:
            code = Trestle().run()
        except SystemExit as end:
            code = end.code
    if code:
        wrong.append(f"trestle {' '.join(arguments)}: {code}: {said.getvalue()[-400:]}")


with tempfile.TemporaryDirectory() as workspace:
    os.chdir(workspace)
    trestle("init", "--local")
    for kind in ("catalog", "component-definition", "assessment-plan", "assessment-results"):
        trestle("import", "-f", str(bundle / "oscal" / f"{kind}.json"), "-o", kind)
        trestle("validate", "-t", kind, "-n", kind)
    os.chdir("/")

try:
    envelope = json.loads((bundle / "manifest.dsse.json").read_bytes())
    public = load_pem_public_key((bundle / "keys" / "export.pem").read_bytes())
    # The library asks for a key by the name that the envelope gives it.
    key = SSlibKey.from_crypto(public, keyid=envelope["signatures"][0]["keyid"])
    signed = Envelope.from_dict(envelope)
    signed.verify([key], 1)
    subject, = json.loads(signed.payload)["subject"]
    if subject["digest"]["sha256"] != hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest():
        wrong.append("manifest.json: not what was signed")
except Exception as error:
    wrong.append(f"manifest.dsse.json: {error!r}")

print("\n".join(wrong) if wrong else "accepted")
sys.exit(1 if wrong else 0)
