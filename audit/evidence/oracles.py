#!/usr/bin/env python3
"""Other people's programs over a bundle or a certificate: oracles.py DIR. Needs the packages `compliance-trestle` and `rfc8785`.

Every JSON file, and the statement that is signed, is written again by `rfc8785` and must come out byte for byte;
`compliance-trestle` reads and validates every OSCAL file; `cyclonedx-python-lib` the list of the program's parts, if there is one; `securesystemslib`, the library of in-toto, verifies the signature.
Exit 0 and "accepted" if all of it holds.
"""
import base64, contextlib, hashlib, io, json, os, pathlib, sys, tempfile
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

bundle = pathlib.Path(sys.argv[1]).resolve()
wrong = []
for path in sorted(bundle.rglob("*.json")):
    try:
        canonical = rfc8785.dumps(json.loads(path.read_bytes()))
    except Exception as error:
        canonical = repr(error).encode()
    if canonical != path.read_bytes():
        wrong.append(f"{path.name}: not canonical")


def verify(name, public):
    """The payload that the key signed, and the files that it names, as (name, SHA-256)."""
    envelope = json.loads((bundle / name).read_bytes())
    # The library asks for a key by the name that the envelope gives it.
    key = SSlibKey.from_crypto(public, keyid=envelope["signatures"][0]["keyid"])
    signed = Envelope.from_dict(envelope)
    signed.verify([key], 1)
    if rfc8785.dumps(json.loads(signed.payload)) != signed.payload:
        wrong.append(f"{name}: its payload is not canonical")
    for subject in json.loads(signed.payload)["subject"]:
        if subject["digest"]["sha256"] != hashlib.sha256((bundle / subject["name"]).read_bytes()).hexdigest():
            wrong.append(f"{subject['name']}: not what was signed")


def certificate():
    envelope = json.loads((bundle / "certificate.json").read_bytes())
    said = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    records = [json.loads(item["record"]) for item in said["records"]]
    drawn, = [record for record in records if record["seq"] == said["key_record"]]
    verify("certificate.json", Ed25519PublicKey.from_public_bytes(base64.b64decode(drawn["d"]["key"])))


def trestle(*arguments):
    from trestle.cli import Trestle

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        sys.argv = ["trestle", *arguments]
        try:
            code = Trestle().run()
        except SystemExit as end:
            code = end.code
    if code:
        wrong.append(f"trestle {' '.join(arguments)}: {code}: {said.getvalue()[-400:]}")


def parts():
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str((bundle / "sbom.cdx.json").read_text())
    if found is not None:
        wrong.append(f"sbom.cdx.json: {found!r}"[:400])


def oscal():
    with tempfile.TemporaryDirectory() as workspace:
        os.chdir(workspace)
        trestle("init", "--local")
        for kind in ("catalog", "component-definition", "assessment-plan", "assessment-results"):
            trestle("import", "-f", str(bundle / "oscal" / f"{kind}.json"), "-o", kind)
            trestle("validate", "-t", kind, "-n", kind)
        os.chdir("/")


try:
    if (bundle / "certificate.json").exists():
        certificate()
    else:
        oscal()
        if (bundle / "sbom.cdx.json").exists():
            parts()
        verify("manifest.dsse.json", load_pem_public_key((bundle / "keys" / "export.pem").read_bytes()))
except Exception as error:
    wrong.append(f"signature: {error!r}")

print("\n".join(wrong) if wrong else "accepted")
sys.exit(1 if wrong else 0)
