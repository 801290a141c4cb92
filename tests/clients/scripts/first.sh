#!/bin/sh
# Answers first, and then takes its body.
printf 'Content-Type: text/plain\n\nfirst\n'
printf 'read %s\n' "$(wc -c)"
