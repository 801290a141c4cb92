#!/bin/sh
# Takes its body, and then answers.
count=$(wc -c)
printf 'Content-Type: text/plain\n\nread %s\n' "$count"
