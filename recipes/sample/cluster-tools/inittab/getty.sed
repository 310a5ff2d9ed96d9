# A terminal of User-Mode Linux is tty0, so the entry gets a twin for that.
/^[^#:]+:[^:]*:respawn:[^:]*getty[^:]*[[:space:]]tty1([[:space:]]|$)/ {
i\
# For UML, comment out the next line and uncomment the one below it.
p
s/([[:space:]])tty1/\1tty0/
s/^/#/
}
