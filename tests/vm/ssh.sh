# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# For scenarios of people who come through ssh, in the guest with systemd; sourced after systemd.sh.
# The other host is this one: a real sshd on 127.0.0.1, with PAM, so that each login is a session of
# logind's. One key opens all accounts:
#
#     root     the superuser
#     alice    in the group "sudo", which polkit takes for administrators
#     bob      anybody else
#
# Nothing listens on 127.0.0.2. The host "silent" takes connections and says nothing.
alices_password=correct-horse

start_sshd() {
	mkdir -p /root/.ssh /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/guest_host_key
	ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
	cp /root/.ssh/id_ed25519.pub /etc/ssh/guest_keys
	cat >/etc/ssh/guest_sshd_config <<-CONF
		ListenAddress 127.0.0.1:2222
		HostKey /etc/ssh/guest_host_key
		AuthorizedKeysFile /etc/ssh/guest_keys
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		UsePAM yes
	CONF
	cat >/root/.ssh/config <<-CONF
		Port 2222
		BatchMode yes
		# The post-quantum one takes seconds of an emulated machine.
		KexAlgorithms curve25519-sha256
		Host silent
			HostName 127.0.0.3
	CONF
	echo "[127.0.0.1]:2222 $(cat /etc/ssh/guest_host_key.pub)" >/root/.ssh/known_hosts
	useradd -m -G sudo alice
	useradd -m bob
	chpasswd <<<"alice:$alices_password"
	# Each user's own systemd, too, takes seconds, and nobody wants anything of it.
	systemctl mask -q user@.service
	/usr/sbin/sshd -f /etc/ssh/guest_sshd_config
}

start_silent_host() {
	perl -MIO::Socket::INET -e '
		$s = IO::Socket::INET->new(LocalAddr => "127.0.0.3:2222", Listen => 5) or die $!;
		open(F, ">", "/run/silent"); close(F);
		sleep' &
	poll_until 240 test -e /run/silent
}

# wait_until COMMAND...: each look costs an emulated machine a part of what is waited for.
wait_until() {
	local limit=$((SECONDS + 240))
	until "$@"; do
		[ "$SECONDS" -lt "$limit" ] || fail "not within 240 s: $*"
		sleep 0.5
	done
}

# at_terminal USER COMMAND: USER logs in at a terminal and runs it; what the terminal shows comes to
# /tmp/screen. type_password TEXT: once it is asked for. expect_end CODE: how the command ends.
at_terminal() {
	rm -f /tmp/keyboard
	mkfifo /tmp/keyboard
	ssh -tt "$1@127.0.0.1" "$2" </tmp/keyboard >/tmp/screen 2>&1 &
	terminal=$!
	exec {keyboard}>/tmp/keyboard
}
# What was typed before the agent switches the echo off it throws away.
asks_for_password() {
	running "$terminal" || fail "nobody is asked: $(cat /tmp/screen)"
	grep -q '^Password: ' /tmp/screen &&
		stty -a -F "/dev/$(ps -o tty= -C pkttyagent)" 2>/dev/null | grep -q -- ' -echo '
}
type_password() {
	wait_until asks_for_password
	echo "$1" >&"$keyboard"
}
expect_end() {
	expect_exit "$1" "$terminal" /tmp/screen
	exec {keyboard}>&-
}

# expect_exit CODE PID OUTPUT
running() { kill -0 "$1" 2>/dev/null; }
not_running() { ! running "$1"; }
expect_exit() {
	local code=0
	wait_until not_running "$2"
	wait "$2" || code=$?
	expect_equal "$1" "$code" "exit code ($(cat "$3"))"
}
