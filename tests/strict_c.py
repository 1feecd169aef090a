"""Warnings of C are errors in the project's own CI (JARAGUA_STRICT_C=1) only: other compilers warn of more."""

from __future__ import annotations

from jaragua_compiler.engines.host_build import is_strict

STRICT: tuple[str, ...] = ("-Werror",) if is_strict() else ()
