#!/usr/bin/env bash
# Stops the sample platform; its data and logs stay.
set -eu

# shellcheck source=scripts/demo/lib.sh
. "$(dirname "$0")/lib.sh"

platform_stop
say "The sample platform is down."
