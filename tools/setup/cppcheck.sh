#!/bin/sh
# cppcheck on the C of boards and of the simulation; what it says wrongly, or what is accepted, is in cppcheck.txt.
# usage: cppcheck.sh PROGRAM
set -eu
cd "$(dirname "$0")/../.."
libraries=firmware/lib
git ls-files "$libraries/*.c" 'firmware/src/*.c' 'firmware/ports/*.c' 'host/jaragua/simulation/native/*.c' |
    "$1" --file-list=- --enable=warning,performance,portability --std=c11 --language=c --quiet --error-exitcode=1 \
        --suppressions-list=firmware/cppcheck.txt '-DJRG_FIRMWARE_VERSION="0"' \
        -I $libraries/jrg_nn -I $libraries/jrg_link -I $libraries/jrg_keep -I $libraries/jrg_node -I $libraries/jrg_online -I firmware/ports
