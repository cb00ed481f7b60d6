# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# For scenarios of the service on a machine with systemd ("# runner: systemd"); sourced after lib.sh.
# There the script runs once a boot, from its start; $BOOT says which boot it is, and what must live on
# is on the root file system or a disk:
#
#     case $BOOT in
#     1) ...; reboot ;;
#     2) ...; power_cut ;;
#     3) ... ;;
#     esac

# A script whose lib.sh cannot be read, in the middle of a merge say, must not go on on the host.
: "${GUEST:?only in a guest}"

RECRYPTCTL=$(command -v recryptctl || true)
export RECRYPTCTL
# What is looked for costs an emulated machine much more than a look at a file does.
export POLL_PAUSE=0.5
bus_name=org.recryptd1
manager_path=/org/recryptd1

# reboot: orderly, as systemctl does it; does not return. A mount may be busy: systemd's affair.
reboot() {
	echo "guest: reboot"
	systemctl reboot
	sleep infinity
}

# power_cut: nothing more reaches any disk; does not return.
power_cut() {
	echo "guest: power cut"
	sleep infinity
}

# as_user COMMAND...: without any privilege.
as_user() { setpriv --reuid guest --regid guest --clear-groups "$@"; }

# start_service: as an operator does, and to come up by itself with each boot. Some rates are lower than
# an operator may ask for, so that work is still under way when it is looked at.
start_service() {
	mkdir -p /etc/systemd/system/recryptd.service.d
	printf '%s\n' '[Service]' Environment=RECRYPTD_LOW_RATES=yes \
		>/etc/systemd/system/recryptd.service.d/low-rates.conf
	systemctl daemon-reload
	systemctl enable --now recryptd.service
}

# service_pid: of the manager. worker_pids: its workers, one a line.
service_pid() { systemctl show -P MainPID recryptd.service; }
worker_pids() { pgrep -x recrypt-worker || true; }
worker_is_another() { [ -n "$(worker_pids)" ] && [ "$(worker_pids)" != "$1" ]; }
manager_is_another() { [ "$(service_pid)" != 0 ] && [ "$(service_pid)" != "$1" ]; }

# count_workers: from now on. workers_started: how many the service has since, without those that read
# a file of the configuration.
count_workers() {
	local worker=/usr/local/libexec/recryptd/recrypt-worker
	mkdir "${worker%/*}/real"
	mv "$worker" "${worker%/*}/real/"
	cat >"$worker" <<-SCRIPT
		#!/bin/sh
		[ "\$1" = read-file ] || echo started >>/run/workers
		exec "${worker%/*}/real/recrypt-worker" "\$@"
	SCRIPT
	chmod +x "$worker"
	: >/run/workers
}
workers_started() { wc -l </run/workers; }

# find_volume WHICH: sets $volume, the object that the following are about. The service looks for
# volumes after it has said that it is ready.
find_volume() {
	poll_until 240 is_known "$1"
	volume=$(get_volume "$1" | sed -n 's/^o "\(.*\)"$/\1/p')
}
get_volume() { busctl call "$bus_name" "$manager_path" "$bus_name.Manager" GetVolume 'sa{sv}' "$1" 0; }
is_known() { get_volume "$1" >/tmp/get-volume 2>&1; }

# volume_call METHOD [SIGNATURE ARGUMENT...]: an a{sv} without options is 0. The end of a hotzone may
# be some time off: udev, emulated, takes long for all that it has to look at.
volume_call() { busctl --timeout=120 call "$bus_name" "$volume" "$bus_name.Volume" "$@"; }

# property NAME: without its type, a string without its quotes.
property() {
	busctl get-property "$bus_name" "$volume" "$bus_name.Volume" "$1" |
		sed 's/^[a-z(){}]* //; s/^"\(.*\)"$/\1/'
}

# wait_property NAME VALUE [SECONDS], wait_at_least NAME NUMBER [SECONDS]. Each look costs an emulated
# machine about as much as a hotzone, so they are few.
wait_property() {
	local limit=$((SECONDS + ${3:-240})) value
	until value=$(property "$1" 2>&1) && [ "$value" = "$2" ]; do
		[ "$SECONDS" -lt "$limit" ] || fail "$1 is '$value', not '$2': $(property StateReason)"
		sleep 1
	done
}
wait_at_least() {
	local limit=$((SECONDS + ${3:-240})) value
	until value=$(property "$1" 2>&1) && [ "$value" -ge "$2" ]; do
		[ "$SECONDS" -lt "$limit" ] || fail "$1 is '$value', less than $2: $(property StateReason)"
		sleep 1
	done
}

# event MESSAGE-ID: its lines in the journal, of all boots.
event() { journalctl -q -o cat --no-pager -u recryptd "MESSAGE_ID=$1"; }

# expect_events MESSAGE-ID COUNT
expect_events() {
	local lines
	lines=$(event "$1")
	expect_equal "$2" "$(grep -c . <<<"$lines" || true)" "lines in the journal with $1 ($lines)"
}
# Of src/daemon/control/events.h.
started=970a1712c0e3421aa0ab5d84a739bf48
suspended=7ac7f30fe33b468182fbf30fa8b5a9f3
resumed=54395b6eb5dd4197870b8f88cac75c80
finished=c805a81d37cf4d0c80d05da4a68332d1
failed=203541e1b5444f5d97b8c8daccb6f121
locked=bcfdc1db189c41dbba3507a571ef77a7
export started suspended resumed finished failed locked

# start_calm_writer: one that leaves the emulated machine time for something else.
start_calm_writer() { start_writer /mnt/records --pause 200; }

# volume_in_use: a LUKS2 volume "vol" on $DISK_data, opened at each boot by systemd, with an ext4 on
# /mnt and a file of which $file_sum is the checksum. Its key is in $key, where the service finds it.
key=/etc/vol.key
volume_in_use() {
	make_volume "$DISK_data" "$key" --luks2-keyslots-size 768k --sector-size 512
	echo "vol $DISK_data $key luks" >/etc/crypttab
	echo "/dev/mapper/vol /mnt ext4 nofail" >/etc/fstab
	mkdir -p /etc/recryptd/recryptd.conf.d
	cat >/etc/recryptd/recryptd.conf.d/vol.conf <<-CONF
		[Volume $(cryptsetup luksUUID "$DISK_data")]
		KeyProvider=key-file
		KeyFile=$key
		# An emulated machine is slow.
		StallTarget=1s
	CONF
	systemctl daemon-reload
	systemctl start systemd-cryptsetup@vol
	mkfs.ext4 -q -b 4096 /dev/mapper/vol
	systemctl start mnt.mount
	head -c 2M /dev/urandom >/mnt/file
	sha256sum </mnt/file >/mnt/file.sum
	sync
}
expect_file() {
	mountpoint -q /mnt || fail "/mnt is not mounted any more"
	echo 3 >/proc/sys/vm/drop_caches
	expect_equal "$(cat /mnt/file.sum)" "$(sha256sum </mnt/file)" "a file"
}

# expect_clean_header [FILE]: in re-encryption, with no range in work; as it is, or as FILE has it.
expect_clean_header() {
	local json=${1:-/tmp/header}
	[ $# = 1 ] || cryptsetup luksDump --dump-json-metadata "$DISK_data" >"$json"
	grep -q online-reencrypt "$json" || fail "not in re-encryption"
	! grep -q in-reencryption "$json" || fail "a range is in work"
}

# note_header: from the next boot on, $noted_header is the header as the service finds it.
noted_header=/run/header
note_header() {
	cat >/etc/systemd/system/note-header.service <<-UNIT
		[Unit]
		Before=recryptd.service
		[Service]
		Type=oneshot
		TimeoutStartSec=120
		ExecStart=sh -c 'until [ -b $DISK_data ]; do sleep 0.05; done; \
			cryptsetup luksDump --dump-json-metadata $DISK_data >$noted_header'
		[Install]
		WantedBy=recryptd.service
	UNIT
	systemctl enable note-header.service
}

# make_partitions DISK SECTORS START...: each of so many sectors; waits for their nodes. The kernel is told
# of them, and no table is written: udev would read that again, and take the nodes away for a moment.
make_partitions() {
	local number=0 start
	for start in "${@:3}"; do
		number=$((number + 1))
		addpart "$1" "$number" "$start" "$2"
		poll_until 240 test -b "$1-part$number"
	done
}

show_journal() {
	journalctl --no-pager -q -o short-monotonic -u recryptd -n 100
	dmsetup table
}
# What the service said, where a scenario fails.
trap '[ $? = 0 ] || show_journal' EXIT
