"""The tasks of `keywords` on 650 log-mel levels of sound that is not normalised: what many measurements are of."""

from dataclasses import replace

from jaragua_compiler import Dense, Network
from jaragua_models import keywords
from jaragua_models.keywords.features import FrontEnd
from jaragua_models.keywords.tasks import KeywordTasks

MODEL = replace(
    keywords.MODEL,
    name="keywords-mel",
    summary="keywords on log-mel levels of sound that is not normalised",
    network=Network("keywords-mel", 650, (Dense(25, "relu"), Dense(5))),
    tasks=KeywordTasks(front_end=FrontEnd()),
)
