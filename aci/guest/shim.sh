#!/bin/sh
# Shim before a build tool in PATH: for `test` it saves the output to a file; other commands run unchanged.
tool=${0##*/}
left=
while [ -n "$PATH" ]; do
    part=${PATH%%:*}
    [ "$part" = %BIN% ] || left="$left${left:+:}$part"
    case $PATH in *:*) PATH=${PATH#*:} ;; *) PATH= ;; esac
done
PATH=$left
export PATH
command=
for word in "$@"; do
    case $word in +* | -*) ;; *) command=${command:-$word} ;; esac
done
[ "$command" = test ] || exec "$tool" "$@"
ours=1
dashes=
for word in "$@"; do
    shift
    set -- "$@" "$word"
    if [ "$word" = test ] && [ -n "$ours" ]; then
        set -- "$@" %ADDED%
        ours=
    fi
    [ "$word" != -- ] || dashes=1
done
out=%OUT%/$tool-$$
printf '%s\n' "$PWD" >"$out.cwd"
fit() { # cut a huge output down to the lines with test results
    if [ "$(wc -c <"$out")" -gt %MOST% ]; then
        grep -aE %KEPT% "$out" | head -c %MOST% >"$out.cut"
        mv "$out.cut" "$out"
    fi
}
%RUN%
