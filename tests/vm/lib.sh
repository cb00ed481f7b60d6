# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# For every test in tests/vm/. Sourced on the host it runs the test in a guest, as comments at the
# test's top say; sourced in the guest it is a set of small helpers:
#
#     # runner: uml | qemu | systemd    (uml: fast, one CPU, the host's tools; qemu: SMP, Debian's
#                                  kernel; systemd: that with systemd, see systemd.sh)
#     # disk: NAME SIZE [PROGRAM] (any number; the node is in $DISK_NAME; PROGRAM, beside this,
#                                  is called with the image to put something on it)
#     # disk: NAME OTHER          (another path to the disk OTHER, above; systemd only)
#     # root: luks                (of systemd: its root file system is on a LUKS2 volume)
#     # throttle: NAME BYTES      (of runner qemu: the disk does so many bytes a second)
#     # timeout: SECONDS
#     # modules: NAME,NAME        (beyond dm-crypt)
set -euo pipefail

if [ -z "${GUEST:-}" ]; then
	here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
	header() { sed -n "s/^# $1: *//p" "$0"; }
	images=$(mktemp -d)
	trap 'rm -rf "$images"' EXIT
	limit=$(header timeout | grep . || echo 300)
	[ -z "${SLOW_SCRIPT:-}" ] || limit=$((limit * 4))
	[ -z "${TEST_FULL:-}" ] || limit=$((limit * 30)) # as tests/run
	options=(--timeout "$limit" --modules "$(header modules)")
	while read -r name size program; do
		[ -n "$name" ] || continue
		if [ -e "$images/$size" ]; then
			ln "$images/$size" "$images/$name"
		else
			truncate -s "$size" "$images/$name"
		fi
		[ -z "$program" ] || "$here/$program" "$images/$name"
		options+=(--disk "$images/$name:$name")
	done < <(header disk)
	[ -z "$(header root)" ] || options+=("--$(header root)-root")
	while read -r name bytes; do
		[ -z "$name" ] || options+=(--throttle "$name:$bytes")
	done < <(header throttle)
	rc=0
	"$here/run-$(header runner | grep . || echo uml)" "${options[@]}" "$0" "$@" || rc=$?
	exit "$rc"
fi

# SLOW_SCRIPT=SEED: the script is as slow as on a machine that is busy with something else. One command
# in 25 begins a second to three late, but for those of subshells.
if [ -n "${SLOW_SCRIPT:-}" ]; then
	echo "# SLOW_SCRIPT=$SLOW_SCRIPT"
	late=$SLOW_SCRIPT
	be_late() {
		[ "$BASH_SUBSHELL" = 0 ] || return 0
		late=$(((late * 1103515245 + 12345) & 0x7fffffff))
		[ $(((late >> 16) % 25)) != 0 ] || sleep $(((late >> 8) % 3 + 1))
	}
	set -o functrace
	trap be_late DEBUG
fi

# Where the programs under test are.
RECRYPTCTL=$BUILD/src/ctl/recryptctl
WRITER=$BUILD/tests/vm/writer
HOSTILE=$BUILD/tests/vm/hostile
export RECRYPTCTL WRITER HOSTILE
[ ! -d "$BUILD/src/ctl" ] || PATH=$BUILD/src/ctl:$PATH

FAST_PBKDF=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)

say() { echo "# $*"; }

# worker_pid: the worker that $worker, a recryptctl, has started or is about to start
worker_pid() {
	local pid
	while kill -0 "$worker"; do
		for pid in $(cat "/proc/$worker/task/$worker/children"); do
			[ "$(cat "/proc/$pid/comm")" != recrypt-worker ] || {
				echo "$pid"
				return
			}
		done
		sleep 0.01
	done 2>/dev/null
	return 1
}
# signal_worker SIGNAL: to the worker of $worker, and not to that, which would end it in another way
signal_worker() {
	local pid
	pid=$(worker_pid) && kill "-$1" "$pid"
}
fail() {
	echo "FAILED: $*" >&2
	exit 1
}
skip() {
	echo "skipped: $*"
	exit 77
}

# poll_until SECONDS COMMAND...: waits for the command to succeed.
poll_until() {
	local limit=$1 start=$SECONDS
	shift
	until "$@"; do
		[ $((SECONDS - start)) -lt "$limit" ] || fail "not within $limit s: $*"
		sleep "${POLL_PAUSE:-0.1}"
	done
}

# long_run: is this a run of --long? What the default run leaves out is listed in doc/hacking.md.
long_run() { [ -n "${TEST_LONG:-}" ]; }

# expect_fail COMMAND...: the command must not succeed.
expect_fail() {
	! "$@" || fail "should have failed: $*"
}

expect_equal() {
	[ "$1" = "$2" ] || fail "${3:-values differ}: expected '$1', got '$2'"
}

# load_module NAME [PARAMETER=VALUE...]
load_module() {
	"$(cat /proc/sys/kernel/modprobe)" "$@"
}

# make_volume DEVICE KEYFILE [luksFormat option...]: a LUKS2 volume that opens fast; makes the key
# file when there is none. Give --sector-size, --luks2-keyslots-size and the like as options.
make_volume() {
	local device=$1 key=$2
	shift 2
	[ -e "$key" ] || head -c 32 /dev/urandom >"$key"
	cryptsetup luksFormat -q --type luks2 "${FAST_PBKDF[@]}" "$@" "$device" "$key"
}

# open_volume DEVICE KEYFILE NAME [open option...]
open_volume() {
	local device=$1 key=$2 name=$3
	shift 3
	cryptsetup open --key-file "$key" "$@" "$device" "$name"
}

# fill NODE: random content all over.
fill() {
	# cat ends with "no space left" at the end of the device.
	cat /dev/urandom >"$1" 2>/dev/null || true
	sync "$1"
}

# content_of NODE: the checksum of what is on the disk, not in the page cache.
content_of() {
	dd if="$1" bs=1M iflag=direct 2>/dev/null | sha256sum | cut -d' ' -f1
}

# volume_key_digest DEVICE KEYFILE: says which volume key it is without showing it.
volume_key_digest() {
	cryptsetup luksDump -q --dump-volume-key --key-file "$2" "$1" |
		sed -n '/MK dump/,$p' | sha256sum | cut -d' ' -f1
}

# expect_no_helpers NAME: nothing of a conversion is left beside the mapping.
expect_no_helpers() {
	local left
	left=$(dmsetup info -c --noheadings -o name,uuid |
		grep -E "^$1-|:CRYPT-SUBDEV-|^temporary-cryptsetup-" || true)
	[ -z "$left" ] || fail "helper devices are left: $left"
}

# expect_clean_table NAME DEVICE KEYFILE [open option...]: the live table is exactly what stock's
# open makes. Closes the mapping and opens it again, so nothing may use it.
expect_clean_table() {
	local name=$1 device=$2 key=$3 live
	shift 3
	expect_no_helpers "$name"
	live=$(dmsetup table "$name")
	cryptsetup close "$name"
	open_volume "$device" "$key" "$name" "$@"
	expect_equal "$(dmsetup table "$name")" "$live" "the table of $name is not what open makes"
}
