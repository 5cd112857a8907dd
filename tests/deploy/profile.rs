//! What the package does with a machine's AppArmor. This host has none, so programs under the names of AppArmor's stand in for it:
//! they write down what they were asked, and take the profile where the real one does (AppArmor 4 takes it, 3 does not).

use crate::deploy::machine::Machine;
use crate::deploy::{alone, said};
use crate::harness::Home;
use crate::packages::packages;

const LINK: &str = "/etc/apparmor.d/lightproof";
const SHIPPED: &str = "/usr/share/lightproof/apparmor/lightproof";
/// What AppArmor of that machine is asked, one call a line.
const CALLS: &str = "/run/apparmor-calls";
/// A profile with an `abi` that is not there is refused, and one named in `disable` is left out, as by the real one. A load fails
/// where a test says so.
const STAND_INS: &str = r#"
mkdir -p /etc/apparmor.d/abi
cat >/usr/sbin/apparmor_parser <<'END'
#!/bin/sh
echo "$*" >>/run/apparmor-calls
for profile; do :; done
[ -f "$profile" ] || { echo "no file $profile" >&2; exit 2; }
abi=$(sed -n 's/^abi <\(.*\)>,$/\1/p' "$profile")
[ -e "/etc/apparmor.d/$abi" ] || { echo "Could not open '$abi'" >&2; exit 1; }
case "$*" in *skip-kernel-load*) ;; *) [ ! -e /run/kernel-says-no ] || { echo "the kernel said no" >&2; exit 1; } ;; esac
END
printf '#!/bin/sh\nexit 0\n' >/usr/bin/aa-enabled
chmod 755 /usr/sbin/apparmor_parser /usr/bin/aa-enabled"#;

/// A machine, and what its AppArmor was asked since the last look.
struct Guarded(Machine);

impl Guarded {
    /// What a command says, which ends well: no answer of AppArmor's keeps a package from being installed.
    #[track_caller]
    fn says(&self, command: &str) -> String {
        let output = self.0.answer(command);
        assert!(output.status.success(), "{command}: {}", said(&output));
        said(&output)
    }

    fn calls(&self) -> Vec<String> {
        let calls = self.says(&format!("touch {CALLS}; cat {CALLS}; rm {CALLS}"));
        calls.lines().map(str::to_owned).collect()
    }

    fn link(&self) -> String {
        self.says(&format!("readlink {LINK} || true")).trim_end().to_owned()
    }

    /// Tried first, and loaded then.
    #[track_caller]
    fn is_loaded(&self) {
        let tried = format!("--skip-kernel-load --skip-cache {SHIPPED}");
        let loaded = format!("--replace --skip-read-cache --write-cache {LINK}");
        assert_eq!(self.calls(), [tried, loaded]);
        assert_eq!(self.link(), SHIPPED);
    }
}

#[test]
fn the_package_loads_its_profile_where_the_host_takes_it() {
    if !alone(
        concat!(module_path!(), "::the_package_loads_its_profile_where_the_host_takes_it"),
        "booting a machine",
    ) {
        return;
    }
    let home = Home::new("profile-made");
    let machine = Machine::new("profile");
    let mut host = Guarded(machine);
    host.0.lay(&packages(&home, "1"), "*.deb *.tar.gz *.json SHA256SUMS");
    host.0.boot();
    let install = "dpkg -i lightproof_*.deb";

    // Without AppArmor, and with one that does not know the profile and would fail at each boot over it.
    assert!(host.says(install).contains("it is not installed here"));
    assert!(!host.0.has(LINK) && host.0.has(SHIPPED));
    host.says(STAND_INS);
    assert!(host.says(install).contains("too old to take it"));
    assert_eq!(host.calls(), [format!("--skip-kernel-load --skip-cache {SHIPPED}")]);
    assert_eq!(host.link(), "");

    // The host is upgraded under it.
    host.says(
        "touch /etc/apparmor.d/abi/4.0
        dpkg-trigger --no-await --by-package=apparmor /etc/apparmor.d/abi/4.0
        dpkg --triggers-only --pending",
    );
    host.is_loaded();
    host.0.lay(&packages(&home, "2"), "*.deb *.tar.gz *.json SHA256SUMS");
    assert!(!host.says(install).contains("AppArmor"));
    host.is_loaded();
    host.says("DEBIAN_FRONTEND=noninteractive dpkg-reconfigure lightproof");
    host.is_loaded();

    // A kernel that does not take it, and one where AppArmor is off, keep no package out.
    host.says("touch /run/kernel-says-no");
    let refused = host.says(install);
    assert!(refused.contains("the kernel said no") && refused.contains("was not loaded"), "{refused}");
    host.is_loaded();
    host.says("rm /run/kernel-says-no; printf '#!/bin/sh\\nexit 1\\n' >/usr/bin/aa-enabled");
    assert!(host.says(install).contains("it is loaded when AppArmor starts"));
    assert_eq!((host.calls().len(), host.link()), (1, SHIPPED.into()));
    host.says("printf '#!/bin/sh\\nexit 0\\n' >/usr/bin/aa-enabled");

    // It is taken out while its file is there; what an administrator has said of it goes at the purge.
    host.says(&format!("mkdir -p /etc/apparmor.d/disable; ln -s {LINK} /etc/apparmor.d/disable/lightproof"));
    host.says("dpkg -r lightproof");
    assert_eq!(host.calls(), [format!("--remove {LINK}")]);
    assert_eq!(host.link(), "");
    let disabled = "test -L /etc/apparmor.d/disable/lightproof && echo still || true";
    assert_eq!(host.says(disabled), "still\n");
    host.says("DEBIAN_FRONTEND=noninteractive dpkg -P lightproof");
    assert_eq!(host.says(disabled), "");

    // A profile of an administrator's own stays, through all of it.
    host.says(&format!("echo '# ours' >{LINK}"));
    assert!(host.says(install).contains("somebody's own"));
    host.says("DEBIAN_FRONTEND=noninteractive dpkg -P lightproof");
    assert!(host.calls().is_empty());
    assert_eq!(host.says(&format!("cat {LINK}")), "# ours\n");
}
