#!/bin/sh
# Answers, and takes nothing of its body.
printf 'Content-Type: text/plain\n\nunread\n'
