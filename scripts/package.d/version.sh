# shellcheck shell=bash
# The version, which stands in meson.build alone, and what is made of it. Sourced; changes nothing by itself.

# project_version ROOT
project_version() { sed -nE "s/^  version: '([^']+)'.*/\1/p" "$1/meson.build" | sed -n 1p; }

# changelog_date ROOT VERSION: what stands behind a version's heading in CHANGELOG.md: a date, or "unreleased"
changelog_date() {
  awk -v version="$2" '$1 == "##" && $2 == version { print $3; exit }' "$1/CHANGELOG.md"
}

# source_date ROOT: the time that a package's files get, in seconds since 1970: of the last commit or, in an unpacked archive of one,
# of its files
source_date() { git -C "$1" log -1 --format=%ct 2>/dev/null || stat -c %Y "$1/meson.build"; }

# package_version ROOT: VERSION or, before its release, VERSION~DATE.TIME of the last commit, which sorts before it
package_version() {
  local version
  version=$(project_version "$1")
  [[ $version ]] || die "no version in meson.build"
  if [[ $(changelog_date "$1" "$version") == [0-9][0-9][0-9][0-9]-* ]]; then
    echo "$version"
  else
    echo "$version~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d.%H%M)"
  fi
}
