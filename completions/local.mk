# SPDX-License-Identifier: GPL-3.0-or-later
dist_bashcompletion_DATA = completions/recryptctl
dist_zshcompletion_DATA = completions/_recryptctl
