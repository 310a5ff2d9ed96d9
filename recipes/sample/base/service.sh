#!/bin/sh
# chkconfig: @LEVELS@ @START@ @STOP@
# description: @SUMMARY@
# Init script of the sample: it keeps account of what would run, and runs nothing.
lock=/var/lock/subsys/@NAME@

case ${1-} in
start)
    echo 'Starting @NAME@ (sample)'
    : > "$lock"
    ;;
stop)
    echo 'Stopping @NAME@ (sample)'
    rm -f "$lock"
    ;;
restart | reload)
    "$0" stop
    "$0" start
    ;;
condrestart)
    [ ! -e "$lock" ] || "$0" restart
    ;;
status)
    if [ -e "$lock" ]; then echo '@NAME@ was started'; else echo '@NAME@ is stopped'; fi
    ;;
*)
    echo "usage: $0 start|stop|restart|reload|condrestart|status" >&2
    exit 1
    ;;
esac
