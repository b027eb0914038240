#!/bin/sh
# Starts a process of the app: one argument is a line for the shell, several are a program and its arguments.
# Scripts in .profile.d/ are sourced before, as on one machine; some of them are written for bash.
if [ -z "${BASH_VERSION:-}" ] && [ -x /bin/bash ]; then exec /bin/bash "$0" "$@"; fi
if [ "$#" -eq 0 ]; then echo "usage: /slipway/start COMMAND" >&2; exit 64; fi
export HOME=/app
cd /app || exit 126
for slipway_profile in .profile.d/*.sh; do
  if [ -r "$slipway_profile" ]; then . "./$slipway_profile"; fi
done
unset slipway_profile
if [ "$#" -gt 1 ]; then exec "$@"; fi
if [ -n "${BASH_VERSION:-}" ]; then exec /bin/bash -c "$1"; fi
exec /bin/sh -c "$1"
