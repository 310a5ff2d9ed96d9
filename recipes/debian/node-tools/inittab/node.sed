# The scripts of rcS check, mount and clean up what is not a node's to touch, and those of runlevel 1, 0 and 6 end the
# cluster's daemons before the root is let go.
s#^([^\#:]+)::sysinit:.*#\1::sysinit:/usr/lib/ssi/boot#
s#^([^\#:]+):0:wait:.*#\1:0:wait:/usr/lib/ssi/leave#
s#^([^\#:]+):6:wait:.*#\1:6:wait:/usr/lib/ssi/leave#
s#^([^\#:]+):([1-5]):wait:.*#\1:\2:wait:/usr/lib/ssi/services \2#
# The other terminals lead nowhere.
/^[^#:]+:[^:]*:respawn:[^:]*getty[^:]*[[:space:]]tty[2-9]([[:space:]]|$)/d
# A terminal of User-Mode Linux is tty0, so the entry gets a twin for that. Who has this terminal is who started the
# kernel, and root has no password.
/^[^#:]+:[^:]*:respawn:[^:]*getty[^:]*[[:space:]]tty1([[:space:]]|$)/ {
i\
# For UML, comment out the next line and uncomment the one below it.
p
s/([[:space:]])tty1/\1tty0/
s/getty[[:space:]]+/getty --autologin root --login-pause /
s/^/#/
}
