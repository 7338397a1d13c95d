# shellcheck shell=bash
# What the scripts do with Debian's packages. Sourced, after lib.sh; changes nothing by itself.

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# not_installed PACKAGE...: prints those that are not, one a line
not_installed() {
  local package
  for package; do
    is_installed "$package" || echo "$package"
  done
}

# debian_mirror: the one that this machine's apt uses; nothing where none is found: debootstrap then takes its own
debian_mirror() {
  # A machine has one of these files, and sed's exit status says that the other one is not there.
  { sed -nE 's/^(URIs:|deb( \[[^]]*\])?) +([^ ]*debian\/?)( .*)?$/\3/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list \
    2>/dev/null || true; } | sed -n 1p
}

can_be_root() { ((EUID == 0)) || command -v sudo >/dev/null; }

as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 "$@"
}

# apt_install PACKAGE...: silent. Never at the cost of another package: a conflict is the user's to decide.
apt_install() {
  local log
  can_be_root || die "run as root (there is no sudo) to install: $*"
  log=$(mktemp)
  quietly "$log" apt_get update
  quietly "$log" apt_get install --no-install-recommends --no-remove "$@"
  rm -f "$log"
}

# fetch_source PACKAGE VERSION DIR: downloads a source package's files into DIR (absolute), which it makes. Needs no rights: apt's state
# for source packages is in DIR/apt meanwhile, and the system's own lists of sources are only read.
fetch_source() {
  local package=$1 version=$2 dir=$3 list
  local apt=$dir/apt
  mkdir -p "$apt"/{parts,lists/partial,cache/archives/partial}
  # The system's sources, asked for source packages. Those of third parties may have none: what counts is whether the download works.
  for list in /etc/apt/sources.list.d/*.sources; do
    [[ ! -e $list ]] || sed 's/^Types:.*/Types: deb-src/' "$list" >"$apt/parts/${list##*/}"
  done
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ ! -e $list ]] || sed -n 's/^deb[[:space:]]/deb-src /p' "$list" >"$apt/parts/${list##*/}"
  done
  local get=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt/parts" -o "Dir::State::lists=$apt/lists"
    -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none)
  "${get[@]}" update >"$apt/update.log" 2>&1 || true
  if ! (cd "$dir" && "${get[@]}" source --download-only "$package=$version") >"$apt/source.log" 2>&1; then
    cat "$apt/update.log" "$apt/source.log" >&2
    die "cannot download the source package $package $version"
  fi
  rm -rf "$apt"
}
