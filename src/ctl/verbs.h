/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What recryptctl has the daemon do. Each logs its failures and returns 0 or an errno for
 * exit_code(). */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "ctl/client.h"
#include "ctl/wait.h"
#include "cli/options.h"
#include "cli/passphrase.h"

int verb_list(const struct options *o);
int verb_status(const struct options *o); /* of one volume */
int verb_keys(const struct options *o);
int verb_config(const struct options *o);
int verb_history(const struct options *o); /* of one volume, or all */
int verb_check(const struct options *o);
int verb_rotate(const struct options *o);
int verb_suspend(const struct options *o);
int verb_resume(const struct options *o);
int verb_rate(const struct options *o);
int verb_unlock(const struct options *o);
int verb_lock(const struct options *o);
int verb_accept(const struct options *o);
int verb_add(const struct options *o);
int verb_remove(const struct options *o);
int verb_monitor(const struct options *o);
int verb_wait(const struct options *o);
int verb_complete(const struct options *o);

/*
 * Each by the daemon, where that runs and can: *ret_done is false where it does not, and the worker
 * has to be started here.
 */
int verb_cancel(const struct options *o, bool *ret_done);
int verb_reencrypt(const struct options *o, bool *ret_done);

/* --- what verbs share --- */

/* The connection, with a message where there is none. */
int open_client(const struct options *o, struct client *ret);

/* Refuses a device that is there and can be none: -ENOTBLK. */
int check_kind(const struct options *o);

/* The object of the volume @operand; of a file also by a relative path. */
int find_volume(struct client *c, const struct options *o, const char *operand, char **ret_path);

/* Both, for a verb with one volume. */
int open_volume(const struct options *o, struct client *ret, char **ret_path);

/* AddVolume() of the first operand. */
int add_volume(struct client *c, const struct options *o, char **ret_path);

/* The options of Rotate() and Check(), and those of Resume() and Cancel(). */
int append_rotation(sd_bus_message *m, const struct options *o);
int append_resume(sd_bus_message *m, const struct options *o);

typedef int (*append_fn)(sd_bus_message *m, const struct options *o);

/* Calls a method of the volume, with what @append adds to the message. @ret_reply may be NULL. */
int call_volume(struct client *c, const struct options *o, const char *path, const char *member,
		append_fn append, sd_bus_message **ret_reply);

/* Where the passphrases of this command line come from; @name is shown in prompts. */
struct passphrase_source passphrases_of(const struct options *o, const char *name);

/* What cannot begin, or go on, says what it is waiting for. */
void tell_if_it_waits(struct client *c, const char *path);

/* The objects of all operands; client_free_paths(). */
int find_volumes(struct client *c, const struct options *o, char ***ret_paths);

/* Of all volumes, or of those of --group. */
int find_all_volumes(struct client *c, const struct options *o, char ***ret_paths);

/* Until the work on these volumes is over. */
int wait_for_volumes(struct client *c, const struct options *o, char **paths);

/* Where a call was interrupted: a prompt says so by itself. */
void tell_interrupted(const struct client *c, const char *device);

/* Is it said which key opens the volume? */
bool names_key(const struct options *o);

/* Hands one on. */
int unlock_by(struct client *c, const struct options *o, const char *path,
	      const struct secret *passphrase);

/* The numbers of @key in @o, as bits; and what opens the keyslots of the volume. */
uint32_t json_keyslots(json_object *o, const char *key);
void json_bindings(json_object *volume, struct luks_bindings *ret);

/* Says on standard output which keyslots are opened, and which are not. */
int tell_keyslots(struct client *c, const char *path, const char *name);

/*
 * Before a rotation of one volume: at a terminal all that is missing is asked for, and whether
 * keyslots may be lost that are left then. Otherwise -ENOKEY where some would be.
 */
int rotation_keys(struct client *c, const struct options *o, const char *path, bool *ret_lose);
/* The same for those of RotateAll(), without a question. */
int rotation_keys_of_all(struct client *c, const struct options *o);

/*
 * The command ends with @error before anything was begun: the daemon forgets what it was given, if
 * it had nothing before. Returns @error.
 */
int forget_keys(struct client *c, const char *path, int error);

/* Asks for passphrases until one is taken; gives up after --tries. */
int unlock_volume(struct client *c, const struct options *o, const char *path,
		  struct passphrase_source *source);

/* Check() with the options of Rotate(); the caller's to put. */
int check_rotation(struct client *c, const struct options *o, const char *path, json_object **ret);

/*
 * Asks for the passphrase of each keyslot that would be lost, and whether those may be that are
 * left then; @agrees is the option that says so. @o is of a verb with one device.
 */
int carry_keyslots_over(struct client *c, const struct options *o, const char *path,
			struct passphrase_source *source, const char *agrees, bool *ret_some_lost);

/*
 * @volume: the properties of one in re-encryption; @verb: the command's, for messages. Refuses
 * options that contradict how it was begun, or ask for what only the foreground does: -EINVAL.
 */
int check_begun(const struct options *o, json_object *volume, const char *verb);

/* An option of reencrypt or cancel that is given, and that the daemon does not take; or NULL. */
const char *foreground_option(const struct options *o);

/*
 * False where the work is for the foreground: with --foreground, where no daemon runs, or where it
 * does not take an option, which is said then.
 */
bool open_for_work(const struct options *o, struct client *ret);

/* Until the job is over, or without one (NULL) the work on the volume, with its progress. */
int watch_with_progress(struct client *c, const struct options *o, char *path, const char *job,
			const volatile sig_atomic_t *stop);
