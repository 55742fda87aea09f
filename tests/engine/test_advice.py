"""What a failure advises holds whichever attempt it was: the last one promises no other."""

import pytest
from aiohttp import ClientHttpProxyError, ClientPayloadError, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy

from engine.core.commands import Failed
from engine.executors.http_faults import failure_of
from engine.executors.http_outcome import Answer, outcome_of
from engine.executors.http_request import HttpRequest
from engine.executors.redirects import first_hop
from engine.executors.room import NoRoom

REQUEST = HttpRequest.from_config({"method": "POST", "url": "http://partner.example/"}, "exe_1")
NOWHERE = RequestInfo(first_hop(REQUEST).url, "POST", CIMultiDictProxy(CIMultiDict()))


def told(failed: object) -> str:
    assert isinstance(failed, Failed)
    assert failed.retryable
    return str(failed.error.advice)


def says_what_a_person_does(advice: str) -> None:
    assert "will be tried again" not in advice
    assert "If the process has failed: retry it" in advice


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_a_status_that_may_be_retried_promises_no_other_attempt(status: int) -> None:
    says_what_a_person_does(told(outcome_of(REQUEST, Answer("POST partner.example", status, [], b"", whole=True))))


@pytest.mark.parametrize(
    "exception", [TimeoutError(), ClientPayloadError(), NoRoom(), ClientHttpProxyError(NOWHERE, (), status=502)]
)
def test_a_call_without_an_answer_promises_no_other_attempt(exception: Exception) -> None:
    says_what_a_person_does(told(failure_of(REQUEST, first_hop(REQUEST), exception)))
