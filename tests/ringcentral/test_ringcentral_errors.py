import pickle

import pytest

from voxlake.ringcentral import errors
from voxlake.ringcentral.sliding_window import QuotaHeaders


@pytest.mark.parametrize("kind", [errors.RingCentralError, *errors.RingCentralError.__subclasses__()])
def test_errors_survive_the_way_between_processes(kind: type[errors.RingCentralError]) -> None:
    error = kind(
        "What happened.",
        status=403,
        error_code="CMN-401",
        method="GET",
        url="/call-log?page=1",
        retry_after=1.5,
        quota=QuotaHeaders("heavy", 10, 0, 60.0),
    )
    if isinstance(error, errors.PermissionDeniedError):
        error.permission_name = "ReadCallLog"

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(copy) is kind
    assert str(copy) == error.message == "What happened."
    assert vars(copy) == vars(error)
