/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The names of the errors that org.recryptd1 answers with, for programs that call it. Installed as
 * <recryptd/recryptd-errors.h>; org.recryptd1(5) says when each of them comes.
 */
#pragma once

#define RECRYPTD_ERROR_PREFIX "org.recryptd1.Error."

#define RECRYPTD_ERROR_INVALID_ARGUMENT     RECRYPTD_ERROR_PREFIX "InvalidArgument"
#define RECRYPTD_ERROR_NOT_SUPPORTED        RECRYPTD_ERROR_PREFIX "NotSupported"
#define RECRYPTD_ERROR_NOT_FOUND            RECRYPTD_ERROR_PREFIX "NotFound"
#define RECRYPTD_ERROR_NOT_AUTHORIZED       RECRYPTD_ERROR_PREFIX "NotAuthorized"
#define RECRYPTD_ERROR_LIMITS_EXCEEDED      RECRYPTD_ERROR_PREFIX "LimitsExceeded"
#define RECRYPTD_ERROR_BUSY                 RECRYPTD_ERROR_PREFIX "Busy"
#define RECRYPTD_ERROR_ROTATION_IN_PROGRESS RECRYPTD_ERROR_PREFIX "RotationInProgress"
#define RECRYPTD_ERROR_NO_ROTATION          RECRYPTD_ERROR_PREFIX "NoRotation"
#define RECRYPTD_ERROR_ALREADY_REVERSING    RECRYPTD_ERROR_PREFIX "AlreadyReversing"
#define RECRYPTD_ERROR_LOCKED               RECRYPTD_ERROR_PREFIX "Locked"
#define RECRYPTD_ERROR_KEY_REJECTED         RECRYPTD_ERROR_PREFIX "KeyRejected"
#define RECRYPTD_ERROR_KEYSLOTS_LOST        RECRYPTD_ERROR_PREFIX "KeyslotsLost"
#define RECRYPTD_ERROR_HEADER_CONFLICT      RECRYPTD_ERROR_PREFIX "HeaderConflict"
#define RECRYPTD_ERROR_TAMPERED             RECRYPTD_ERROR_PREFIX "Tampered"
#define RECRYPTD_ERROR_TIMED_OUT            RECRYPTD_ERROR_PREFIX "TimedOut"
#define RECRYPTD_ERROR_COST_TOO_HIGH        RECRYPTD_ERROR_PREFIX "CostTooHigh"
#define RECRYPTD_ERROR_CANCELLED            RECRYPTD_ERROR_PREFIX "Cancelled"
#define RECRYPTD_ERROR_NO_SPACE             RECRYPTD_ERROR_PREFIX "NoSpace"
#define RECRYPTD_ERROR_NO_MEMORY            RECRYPTD_ERROR_PREFIX "NoMemory"
#define RECRYPTD_ERROR_IO_ERROR             RECRYPTD_ERROR_PREFIX "IOError"
#define RECRYPTD_ERROR_SHUTTING_DOWN        RECRYPTD_ERROR_PREFIX "ShuttingDown"
#define RECRYPTD_ERROR_FAILED               RECRYPTD_ERROR_PREFIX "Failed"
