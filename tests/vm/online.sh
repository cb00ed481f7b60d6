# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# For scenarios of a volume that is re-encrypted while in use; sourced after lib.sh. There is one
# volume, "vol" on $DISK_data, one application on it, the verifying writer, and one worker:
#
#     writer (/tmp/writer.out) ---> /mnt/records or /dev/mapper/vol
#     worker (/tmp/worker.out) ---> $DISK_data

# A script whose lib.sh cannot be read, in the middle of a merge say, must not go on on the host.
: "${GUEST:?only in a guest}"

key=/tmp/key
header=() # or --header FILE, for all commands
records=/mnt/records

# slow_disk DEVICE: sets $DISK_data to a device over it whose writes take so long that a worker can be
# met in the middle. slow_down [MS] and full_speed change it while it is in use.
slow_disk() {
	load_module dm-delay
	dmsetup create slow --table "0 $(blockdev --getsz "$1") delay $1 0 0 $1 0 4"
	DISK_data=/dev/mapper/slow
}
slow_down() { remake_slow 'print 0, size, "delay", disk, 0, 0, disk, 0, '"${1:-4}"; }
full_speed() { remake_slow 'print 0, size, "linear", disk, 0'; }

# remake_slow PROGRAM: an awk program that prints the table. Writes that wait are let go.
remake_slow() {
	dmsetup table slow | awk "{ size = \$1 + \$2; disk = \$4 } END { $1 }" | dmsetup load slow
	dmsetup resume slow
}

# hold_writes FIRST COUNT: writes to these sectors wait until full_speed or slow_down. Flushes, and all
# other writes, are as fast as they can be.
hold_writes() {
	remake_slow '
		first = '"$1"'; next_one = first + '"$2"'
		if (first > 0)
			print 0, first, "linear", disk, 0
		print first, next_one - first, "delay", disk, first, 0, disk, first, 3600000, disk, first, 0
		if (next_one < size)
			print next_one, size - next_one, "linear", disk, next_one'
}

# work_until BYTES: a worker may convert so much of the data, in MiB; then it is held inside the hotzone
# from there, of a MiB at least, which is hot in the header and not all written, until full_speed or
# slow_down; what waits meanwhile are flushes of applications, too. No application may write there, or
# the worker waits for its write, and gets nowhere.
# held_at BYTES: it, $worker, has come there, from either side.
work_until() { hold_writes $((($(status_of data_offset) + $1) / 512)) 2048; }
held_at() { poll_until 240 is_held_at "$1"; }
# is_held_at BYTES: asks for the status once, as the worker may go on meanwhile.
is_held_at() {
	local text offset size
	kill -0 "$worker" 2>/dev/null || fail "the worker ended: $(cat /tmp/worker.out)"
	text=$(status)
	offset=$(member offset <<<"$text")
	size=$(member size <<<"$text")
	[ -n "$offset" ] && [ "$offset" -lt $(($1 + (1 << 20))) ] &&
		[ $((offset + size)) -gt "$1" ]
}
# copies_agree: has the last commit written both copies of the header? A copy has its size at byte 8 and its sequence number at byte 16.
copies_agree() {
	local disk=${header[1]:-$DISK_data} first
	first=$(copy_at 0)
	[ -n "$first" ] && [ "$(copy_at $((0x${first:0:16})))" = "$first" ]
}
# copy_at OFFSET: prints size and sequence number of the header copy there, on $disk, in hex.
copy_at() {
	dd if="$disk" bs=4096 count=1 skip=$(($1 / 4096)) status=none |
		od -An -v -tx1 -j8 -N16 | tr -d ' \n'
}
# is_in_state STATE: is the re-encryption by $worker?
is_in_state() {
	kill -0 "$worker" 2>/dev/null || fail "the worker ended: $(cat /tmp/worker.out)"
	[ "$(status_of state)" = "$1" ]
}

# quiet_place FILE [BYTES]: where on the volume, from BYTES, a MiB is all of this file, on a file system of
# 4096-byte blocks: when nobody writes to the file, nobody writes there.
quiet_place() {
	filefrag -s -v "$1" | awk -F '[ .:]+' -v from="${2:-0}" '
		$2 ~ /^[0-9]+$/ {
			for (mib = int(($5 + 255) / 256); (mib + 1) * 256 <= $6 + 1; mib++)
				if (mib * 1048576 >= from && !n++)
					printf "%d\n", mib * 1048576
		}
		END { exit !n }'
}

# start_writer FILE [option...]: writes all the time, for which it takes half of the only CPU; as a witness
# of what happens to I/O, and not as a load, it has enough to say with --pause 5 (milliseconds).
start_writer() {
	[ -x "$WRITER" ] || fail "$WRITER is not built; make check TESTS= builds it"
	records=$1
	: >/tmp/writer.out
	"$WRITER" --slots 64 "${@:2}" "$records" >>/tmp/writer.out 2>&1 &
	writer=$!
	poll_until 240 acknowledged 5
}

# acknowledged N: has the writer so many records on the disk?
acknowledged() { [ "$(grep -c '^ACK' /tmp/writer.out)" -ge "$1" ]; }

# writer_goes_on: none of its I/O waits for ever, or failed.
writer_goes_on() {
	poll_until 240 acknowledged $(($(grep -c '^ACK' /tmp/writer.out) + 3))
}

# stop_writer: it found each record as it had written it.
stop_writer() {
	kill "$writer"
	wait "$writer" || fail "the writer: $(tail -n 3 /tmp/writer.out)"
	grep '^DONE' /tmp/writer.out || fail "the writer: $(tail -n 3 /tmp/writer.out)"
}

# verify_records: from the disk, by another process, whatever lay in between.
verify_records() {
	"$WRITER" --verify --slots 64 --acked "$(grep -c '^ACK' /tmp/writer.out)" "$records"
}

# As large as they are wanted, however slow the disk is just then.
hotzones=(--hotzone-size 1M --stall-target 0)

# reencrypt [option...]: to its end, or in the background as $worker.
reencrypt() {
	recryptctl reencrypt --batch-mode --progress-frequency 1000 --key-file "$key" \
		"${FAST_PBKDF[@]}" "${hotzones[@]}" "${header[@]}" "$@" "$DISK_data"
}
start_reencrypt() {
	"$RECRYPTCTL" reencrypt --batch-mode --progress-frequency 1000 --key-file "$key" \
		"${FAST_PBKDF[@]}" "${hotzones[@]}" "${header[@]}" "$@" "$DISK_data" \
		>/tmp/worker.out 2>&1 &
	worker=$!
}

# start_cancel: in the background as $worker.
start_cancel() {
	"$RECRYPTCTL" cancel --progress-frequency 1000 --key-file "$key" "${hotzones[@]}" \
		"$DISK_data" >/tmp/worker.out 2>&1 &
	worker=$!
}

# wait_worker EXIT-CODE
wait_worker() {
	local rc=0
	wait "$worker" || rc=$?
	expect_equal "$1" "$rc" "exit code of the worker ($(tail -n 3 /tmp/worker.out))"
}

status() { "$RECRYPTCTL" status --json "${header[@]}" "$DISK_data"; }
# member NAME: of the status on standard input; nothing where it has none.
member() { sed -n "s/^ *\"$1\":\"\{0,1\}\([^\",]*\).*/\1/p"; }
# status_of MEMBER
status_of() { status | member "$1"; }

# wait_done BYTES: until the worker has converted so much for good.
wait_done() {
	local limit=$((SECONDS + 240)) bytes
	while
		bytes=$(status_of bytes_done)
		[ "${bytes:-0}" -lt "$1" ]
	do
		kill -0 "$worker" 2>/dev/null || fail "the worker ended: $(cat /tmp/worker.out)"
		[ "$SECONDS" -lt "$limit" ] || fail "no progress: $bytes of $1 bytes"
		sleep 0.1
	done
}

# expect_new_key DIGEST-BEFORE, expect_old_key DIGEST-BEFORE
expect_new_key() {
	[ "$1" != "$(volume_key_digest "$DISK_data" "$key")" ] || fail "the volume key is the same"
}
expect_old_key() {
	expect_equal "$1" "$(volume_key_digest "$DISK_data" "$key")" "volume key"
}

# lock_header [NAME], unlock_header: on the disk of that name, by a process that reads it. A worker waits
# for the lock before it freezes the next hotzone, so that all I/O and all commands go on.
lock_header() {
	want_header "$@"
	get_header
}
# want_header [NAME], get_header: the same in two steps, while a worker may have it
want_header() {
	local file
	file=/run/cryptsetup/L_$(dmsetup info -c --noheadings -o major,minor --separator : "${1:-slow}")
	coproc "$(dirname "$0")/hold-lock" "$file"
}
get_header() {
	local answer
	read -r -t 240 answer <&"${COPROC[0]}" || fail "the header is never unlocked"
	expect_equal locked "$answer" "hold-lock"
}
unlock_header() {
	local holder=$COPROC_PID
	exec {COPROC[1]}>&-
	wait "$holder"
}
