//! A machine on which the packages are installed, upgraded, removed and purged with the commands of `deploy/PACKAGES.md`.

use crate::deploy::booted::{holds, picture, vault};
use crate::deploy::machine::Machine;
use crate::deploy::page::Page;
use crate::deploy::{alone, said};
use crate::harness::Home;
use crate::packages::packages;

const AS_SERVICE: &str =
    "runuser -u lightproof -- env HOME=/var/lib/lightproof XDG_CONFIG_HOME=/etc XDG_STATE_HOME=/var/lib";
/// The packages' own endings, and the folder that comes out of the tarball.
const PACKED: &str = "*.deb *.tar.gz *.json SHA256SUMS lightproof-*";

#[test]
fn packages_from_their_installation_to_their_end() {
    if !alone(concat!(module_path!(), "::packages_from_their_installation_to_their_end"), "booting a machine")
    {
        return;
    }
    let home = Home::new("packaged-made");
    let page = Page::read("PACKAGES.md");
    let mut machine = Machine::new("packaged");
    machine.lay(&packages(&home, "1"), PACKED);
    machine.boot();

    let next = machine.type_in(&page.take("Install"));
    assert!(next.contains("nothing of it runs") && next.contains("systemctl enable --now"), "{next}");
    let is_active = |unit: &str| machine.answer(&format!("systemctl is-active {unit}")).status.success();
    assert!(!is_active("lightproof.service") && !is_active("lightproof.socket"));
    let folders = machine.type_in("stat -c '%U:%G %a' /var/lib/lightproof /etc/lightproof");
    assert_eq!(folders, "lightproof:lightproof 700\nroot:lightproof 750\n");

    let start = page.take("The first start");
    machine.type_in(&start);
    assert_eq!(vault(), "unlocked");
    let made = picture();

    // What was written into the policy stays, and the pictures do.
    machine.type_in("echo '# ours' >>/etc/lightproof/policy.toml");
    machine.lay(&packages(&home, "2"), PACKED);
    machine.type_in(&page.take("Upgrade"));
    assert_eq!(vault(), "unlocked");
    holds(&[&made]);
    let version =
        machine.type_in("dpkg-query -f '${Version}' -W lightproof; tail -n 1 /etc/lightproof/policy.toml");
    assert!(version.ends_with("-2# ours\n"), "{version}");
    // An older one does not take its place, and what runs goes on.
    machine.lay(&home.path().join("packages-1"), PACKED);
    let refused = machine.answer("dpkg -i lightproof_*.deb");
    assert!(!refused.status.success() && said(&refused).contains("is older than"), "{}", said(&refused));
    let kept = machine.type_in("dpkg-query -f '${Status} ${Version}' -W lightproof");
    assert!(kept.starts_with("install ok installed ") && kept.ends_with("-2"), "{kept}");
    holds(&[&made]);
    machine.lay(&home.path().join("packages-2"), PACKED);

    let remove = page.take("Remove");
    let is_removed = || {
        machine.type_in(&remove);
        assert!(!is_active("lightproof.service") && !machine.has("/usr/bin/lightproof"));
        assert!(
            machine.has("/var/lib/lightproof/vault/vault")
                && machine.has("/var/lib/lightproof-purge/program")
        );
    };
    is_removed();
    assert!(machine.has("/etc/lightproof/policy.toml"));
    machine.type_in(&page.take("Purge, and keep the pictures"));
    assert!(!machine.has("/etc/lightproof/policy.toml") && !machine.has("/var/lib/lightproof-purge"));
    let back = "dpkg --force-confold -i lightproof_*.deb && systemctl enable --now lightproof.service";
    machine.type_in(back);
    assert_eq!(vault(), "unlocked");
    holds(&[&made]);

    // While a legal hold stands nothing is purged that it keeps.
    let with_passphrase = |verb: &str| {
        let files = "systemctl stop lightproof.socket lightproof.service
            install -m 600 -o lightproof /dev/null /run/lightproof.passphrase
            systemd-creds decrypt --name=lightproof.passphrase /etc/credstore.encrypted/lightproof.passphrase - >/run/lightproof.passphrase";
        let command = format!("{AS_SERVICE} lightproof {verb} --passphrase-file /run/lightproof.passphrase");
        machine.type_in(&format!("{files}\n{command}\nrm /run/lightproof.passphrase"))
    };
    with_passphrase("hold set --reason litigation");
    is_removed();
    let purge = page.take("Purge, and destroy the keys");
    let (destroying, end) =
        purge.split_once("lightproof-audit verify").expect("the log is verified behind it");
    let before = machine.type_in("find /var/lib/lightproof | sort");
    let refused = |wanted: &str| {
        let output = machine.answer(destroying);
        let said = said(&output);
        assert!(
            !output.status.success() && said.contains(wanted) && said.contains("nothing was deleted"),
            "{said}"
        );
    };
    refused("hold");
    machine.type_in("test ! -e /run/lightproof.passphrase; mv /var/lib/lightproof /srv/theirs; ln -s /srv/theirs /var/lib/lightproof");
    refused("is a link");
    machine.type_in("rm /var/lib/lightproof; mv /srv/theirs /var/lib/lightproof");
    machine.type_in("mv /etc/credstore.encrypted/lightproof.passphrase /run/kept");
    refused("takes a passphrase");
    machine.type_in("mv /run/kept /etc/credstore.encrypted/lightproof.passphrase");
    // dpkg takes the policy away before it asks for the rest.
    let policy = machine.type_in("cat /etc/lightproof/policy.toml");
    assert!(policy.contains("schema = 1"), "{policy}");
    let left = machine.type_in("find /var/lib/lightproof | sort");
    assert!(
        before.lines().filter(|path| path.contains("output_image")).all(|path| left.contains(path)),
        "{left}"
    );
    machine.type_in(back);
    holds(&[&made]);
    with_passphrase("hold end");
    machine.type_in("echo 'erase = \"never\"' >>/etc/lightproof/policy.toml");
    is_removed();
    refused("the policy of this machine forbids");
    machine.type_in(back);
    let policy =
        machine.type_in("cat /etc/lightproof/policy.toml; sed -i /never/d /etc/lightproof/policy.toml");
    assert!(policy.contains("never"), "{policy}");
    is_removed();

    // Where the service's user may make no namespace, as by AppArmor of Ubuntu 24.04, and the profile is gone with the program.
    machine.type_in("ip link add outside type veth peer name other");
    // The runbook makes it for a file of an administrator's own, which is taken away again.
    machine.type_in("install -d /etc/systemd/system/lightproof.service.d");
    std::fs::write(home.path().join("packages-2/destroying"), destroying).expect("a home can be written");
    machine.lay(&home.path().join("packages-2"), PACKED);
    let fenced = "systemd-run --quiet --wait --pipe --same-dir --property=RestrictNamespaces=~user bash -eu";
    let may_not = machine.answer(&format!("{fenced} -c 'runuser -u lightproof -- unshare --user true'"));
    assert!(!may_not.status.success() && said(&may_not).contains("not permitted"), "{}", said(&may_not));
    let receipt = said(&machine.answer(&format!("{fenced} destroying")));
    assert!(
        receipt.contains("destroyed the vault and 1 picture") && receipt.contains("the log stays"),
        "{receipt}"
    );
    assert!(!machine.has("/var/lib/lightproof/vault/vault"), "{receipt}");
    assert!(!machine.has("/etc/credstore.encrypted/lightproof.passphrase"));
    let log = machine.type_in(&format!("lightproof-audit verify{end}"));
    assert!(log.contains("verified"), "{log}");
    let left = machine.type_in(
        "find /etc /var/lib /usr /run -xdev -name '*lightproof*' -not -path '/var/lib/dpkg/*'; getent passwd lightproof || true",
    );
    assert_eq!(left, "");

    let version = machine.type_in(&page.take("Install below a prefix"));
    assert!(version.contains("vendor none"), "{version}");
    machine.type_in(&page.take("Take it away"));
    assert!(!machine.has("/opt/lightproof"));
    page.is_done();
}
