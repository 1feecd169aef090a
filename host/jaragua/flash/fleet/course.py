"""How far each board's command is, and when it is sent again or given up (M43, M47). Pure: the time is passed in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from jaragua.wire.messages import FlashCommand, FlashReport

#: The last reports of a command (M43).
LAST_PHASES: Final = frozenset({"done", "same", "refused", "failed"})
#: Phases after which the board runs the image.
GOOD_PHASES: Final = frozenset({"done", "same"})
#: M47: seconds without a first report until the command is sent again, and until the board is given up.
AGAIN_S: Final = 10.0
FIRST_S: Final = 45.0
#: Seconds without a report, beside the patience with the job under way: an upload and the questions after it (M42).
WORK_S: Final = 360.0
#: How long a gateway that is lost may take to come back.
LOST_S: Final = 120.0


@dataclass
class Course:
    """One board's command. heard_s: when its gateway said something of it last; sent_s: when it was sent last."""

    gateway: str
    command: FlashCommand
    sent_s: float
    heard_s: float
    report: FlashReport | None = None
    is_lost: bool = False
    given_up: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is waited for."""
        return bool(self.given_up) or (self.report is not None and self.report.phase in LAST_PHASES)

    @property
    def is_good(self) -> bool:
        """Whether the board runs the image."""
        return self.report is not None and self.report.phase in GOOD_PHASES

    @property
    def reason(self) -> str:
        """Why it is not good, "" if nothing was said."""
        return self.given_up or (self.report.reason or "" if self.report is not None else "")


class Courses:
    """The commands of one call, by their ids."""

    def __init__(self, courses: Iterable[Course]) -> None:
        self._courses = {one.command.id: one for one in courses}

    def __iter__(self) -> Iterator[Course]:
        return iter(self._courses.values())

    @property
    def are_over(self) -> bool:
        """Whether nothing more is waited for."""
        return all(one.is_over for one in self._courses.values())

    def heard(self, report: FlashReport, now_s: float) -> Course | None:
        """Take in a report; its course if it says something new. A report that came late ends nothing."""
        course = self._courses.get(report.id)
        if course is None or course.is_over or course.command.device != report.device:
            return None
        for other in self._courses.values():
            if other.gateway == course.gateway:
                other.heard_s = now_s
        is_new = course.report is None or course.report.phase != report.phase
        course.report = report
        return course if is_new else None

    def gateway_is(self, gateway: str, state: str, now_s: float) -> list[Course]:
        """A gateway came or went; the courses whose command is to be sent again, as it has connected anew."""
        again: list[Course] = []
        for course in self._courses.values():
            if course.gateway != gateway or course.is_over:
                continue
            is_there = state not in ("lost", "disconnected")
            if is_there == course.is_lost:
                course.is_lost, course.heard_s = not is_there, now_s
                again += [course] if is_there else []
        return again

    def due(self, now_s: float) -> list[Course]:
        """Give up what took too long; the courses whose command is to be sent again now."""
        again: list[Course] = []
        for course in self._courses.values():
            if course.is_over:
                continue
            course.given_up = _too_long(course, now_s)
            if not course.given_up and course.report is None and now_s - course.sent_s >= AGAIN_S:
                course.sent_s = now_s
                again.append(course)
        return again


def _too_long(course: Course, now_s: float) -> str:
    silent_s = now_s - course.heard_s
    if course.is_lost:
        return f"gateway {course.gateway} was lost and did not come back" if silent_s > LOST_S else ""
    if course.report is None:
        why = "it may be of an older version, or take another signature"
        return f"gateway {course.gateway} said nothing within {FIRST_S:.0f} s: {why}" if silent_s > FIRST_S else ""
    most_s = course.command.patience + WORK_S
    return f"gateway {course.gateway} said nothing for {most_s:.0f} s" if silent_s > most_s else ""
