#!/bin/sh
# Stands where a distribution has @PATH@: this root is a sample, and has no programs.
echo '@PATH@: this root is a sample without programs' >&2
exit 127
