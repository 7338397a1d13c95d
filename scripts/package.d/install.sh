#!/bin/sh
# Installs clockshim from the folder in which this script stands, or removes it again.
#
#   ./install.sh [--prefix DIR] [--library-only]
#   DIR/share/clockshim/install.sh --uninstall
#
# DIR is /usr/local unless it is named; DESTDIR is put before it. Before anything is copied, the library is tried on a program
# of this system: where it does not load, nothing is installed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=/usr/local action=install what=all

die() {
  echo "install.sh: $*" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    --prefix)
      [ $# -ge 2 ] || die "--prefix needs a folder"
      prefix=$2
      shift
      ;;
    --library-only) what=library ;;
    --uninstall) action=uninstall ;;
    *)
      sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
      exit 2
      ;;
  esac
  shift
done

if [ "$action" = uninstall ]; then
  # This script stands in DIR/share/clockshim, with the list of what was installed: files, then folders that were made.
  target=$(cd "$here/../.." && pwd)
  [ -r "$here/installed" ] || die "no list of what was installed in $here"
  list=$(cat "$here/installed")
  cd "$target"
  printf '%s\n' "$list" | while IFS= read -r path; do
    if [ -d "$path" ]; then rmdir "$path" 2>/dev/null || echo "install.sh: $target/$path is not empty: it stays"
    else rm -f "$path"; fi
  done
  # What a comparison of the counters has found until the next boot goes with the command that wrote it.
  [ "${DESTDIR-}" ] || rm -rf /run/clockshim 2>/dev/null || true
  echo "install.sh: removed from $target"
  exit 0
fi

case $prefix in
  /*) ;;
  *) die "--prefix $prefix: must be an absolute path" ;;
esac
[ "$(uname -m)" = x86_64 ] || die "clockshim is for x86-64, and this is $(uname -m)"
library=$here/lib/libclockshim.so
[ -r "$library" ] || die "no $library: this script stands in the unpacked folder"
# The loader only warns of a library that it can't load, but a program may not start with one that needs a newer C library.
if ! said=$(LD_PRELOAD=$library CLOCKSHIM_REPORT=none CLOCKSHIM_DIR=/nonexistent CLOCKSHIM_LOG=off /bin/true 2>&1) || [ "$said" ]; then
  die "the library does not load here, nothing is installed: ${said:-/bin/true failed with it}"
fi
if [ "$what" = all ] && ! said=$("$here/bin/clockshim" --version 2>&1); then
  echo "install.sh: the command does not start here ($said): only the library is installed" >&2
  what=library
fi

target=${DESTDIR-}$prefix
list=$(mktemp)
trap 'rm -f "$list"' EXIT
made=''
# make_folder PATH: makes it, below $target, and what is missing above it; those are removed by --uninstall
make_folder() {
  [ ! -d "$target/$1" ] || return 0
  case $1 in */*) make_folder "${1%/*}" ;; esac
  mkdir -p "$target/$1"
  made="$1
$made"
}
cd "$here"
if [ "$what" = all ]; then files=$(find bin lib share -type f | sort); else files=lib/libclockshim.so; fi
for file in $files; do
  make_folder "${file%/*}"
  # Beside it first: a library that programs have mapped must not be written into.
  case $file in
    # A unit names the command with its whole path.
    lib/systemd/*) sed "s|=/usr/local/bin/|=$prefix/bin/|" "$file" >"$target/$file.new" ;;
    *) cp "$file" "$target/$file.new" ;;
  esac
  case $file in bin/*) chmod 755 "$target/$file.new" ;; *) chmod 644 "$target/$file.new" ;; esac
  mv -f "$target/$file.new" "$target/$file"
  echo "$file" >>"$list"
done
make_folder share/clockshim
cp "$here/install.sh" "$target/share/clockshim/install.sh"
chmod 755 "$target/share/clockshim/install.sh"
{
  cat "$list"
  printf 'share/clockshim/install.sh\nshare/clockshim/installed\n%s' "$made"
} >"$target/share/clockshim/installed"
echo "install.sh: installed below $target; to remove it: $target/share/clockshim/install.sh --uninstall"
