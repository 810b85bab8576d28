#!/usr/bin/env bash
# Starts the sample platform below build/demo (unless it runs) and says where it is.
#
#   up.sh [SCALE]     1: about 50,000 rows in the source tenant
set -eu

# shellcheck source=scripts/demo/lib.sh
. "$(dirname "$0")/lib.sh"

scale=$(platform_scale "${1:-}")
platform_start "$scale"
arm_tasks Cust26760

say "The sample platform is up: configuration in ${config#"$root"/}"
say "  registry, production   127.0.0.1:$(cluster_port "$demo/prod1")"
say "  test tenants           127.0.0.1:$(cluster_port "$demo/test1")"
say "  services               http://127.0.0.1:$(cat "$demo/services.port")"
say ""
say "Try:  ./cloner plan scripts/clone.lua source=Cust26759 target=Cust26760"
say "      ./cloner scripts/clone.lua source=Cust26759 target=Cust26760"
say "Stop: make down"
