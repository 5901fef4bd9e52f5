#!/bin/sh
# In the guest: what attackers do, with both processes watching (integration-tests/tests/attacks). Nothing of it leaves the
# guest, which has no network and is thrown away.
cd /payload || exit 1
export CWS_DISPOSABLE_GUEST=1 CWS_SHARED=/payload/shared CWS_PATIENCE=10 CWS_ATTACKS_KEEP=/payload/keep
export LC_ALL=C HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin RUST_BACKTRACE=0
. ./settings
mkdir -p keep
ip link set lo up
echo "# $(uname -r), plan ${CWS_PLAN:-by itself}"
bin/deps/attacks --test-threads=1 --nocapture
echo "# status $?"
tar -cf /dev/vdc -C keep .
echo "guest: done"
