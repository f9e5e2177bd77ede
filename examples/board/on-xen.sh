#!/usr/bin/env bash
# Runs scenarios in the simulator and, with the same guests, on Xen in an emulator, and compares what the guests do and are
# given: `mpusim parity --target xen`. Arguments are that command's; without any, the scenarios of the tests.
#
#   examples/board/on-xen.sh
#   examples/board/on-xen.sh SCENARIO [--set KEY=VALUE ...]
#
# Xen is Debian's package for arm64, unpacked under target/ and never installed; nothing of the machine's set-up is touched.
# "examples/board/on-xen.sh fetch" does no more than that.
set -euo pipefail
cd "$(dirname "$0")/../.."
xen=target/board/xen

fetch() {
  [ ! -e "$xen" ] || return 0
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    { echo "on-xen: Xen comes from Debian's packages; expected apt-get and dpkg-deb, or a Xen for arm64 at $xen" >&2; exit 1; }
  local state=$PWD/target/xen-package
  rm -rf "$state" && mkdir -p "$state"/{lists,archives}/partial "$state/x"
  # Lists of their own, for another architecture, beside the machine's.
  local apt=(-q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State::Lists="$state/lists"
    -o Dir::State::status=/dev/null -o Dir::Cache::Archives="$state/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    -o APT::Sandbox::User=root)
  apt-get "${apt[@]}" update
  local name
  name=$(apt-cache "${apt[@]}" pkgnames xen-hypervisor- | grep -E '^xen-hypervisor-[0-9.]+-arm64$' | sort -V | tail -n 1)
  [ -n "$name" ] || { echo "on-xen: this distribution has no package of Xen for arm64" >&2; exit 1; }
  (cd "$state" && apt-get "${apt[@]}" download "$name" && dpkg-deb -x "$name"_*.deb x)
  mkdir -p "${xen%/*}"
  local built=("$state"/x/boot/xen-*-arm64)
  cp "${built[0]}" "$xen"
  rm -rf "$state"
}

fetch
[ "${1:-}" != fetch ] || exit 0
[ -e target/board/guest-aarch64.bin ] || .ci/board
cargo build --quiet --locked --package mpusim
mpusim=${CARGO_TARGET_DIR:-target}/debug/mpusim
[ $# -eq 0 ] || exec "$mpusim" parity --target xen "$@"
for scenario in cli/tests/xen-*.toml; do
  "$mpusim" parity --target xen "$scenario"
done
