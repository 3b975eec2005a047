"""Error answers in RingCentral's envelope: https://developers.ringcentral.com/guide/basics/errors ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(eq=False)
class ApiError(Exception):
    """An answer other than success.

    Attributes:
        status: HTTP status.
        code: `errorCode` of the entry in `errors`.
        message: For people; clients go by the codes.
        top_code: `errorCode` of the envelope where it differs.
        details: Further fields of both the envelope and the entry, such as parameterName.
        oauth_error: RFC 6749 `error`; only the token endpoints send one.
        headers: Of the answer.
    """

    status: int
    code: str
    message: str
    top_code: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    oauth_error: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, object]:
        """The JSON of the answer."""
        oauth = {"error": self.oauth_error, "error_description": self.message} if self.oauth_error else {}
        return {
            **oauth,
            "errorCode": self.top_code or self.code,
            "message": self.message,
            "errors": [{"errorCode": self.code, "message": self.message, **self.details}],
            **self.details,
        }


def invalid_parameter(name: str, value: str) -> ApiError:
    """400 CMN-101: a parameter whose value is not understood."""
    return ApiError(
        400,
        "CMN-101",
        f"Parameter [{name}] value is invalid",
        details={"parameterName": name, "parameterValue": value},
    )


def not_combinable(name: str, other: str) -> ApiError:
    """400 CLG-110: two filters that exclude each other."""
    return ApiError(
        400,
        "CLG-110",
        f"Parameter [{name}] is not allowed for usage along with parameter [{other}]",
        details={"parameterName": name, "additionalParameterName": other},
    )


def sync_token_refused(code: str, token: str) -> ApiError:
    """400 CLG-101 to CLG-105, of which documents do not say which is which; all have been seen with this message."""
    return ApiError(
        400,
        code,
        "Parameter [syncToken] is invalid [Sync token expired, call log was reset]",
        details={"parameterName": "syncToken", "parameterValue": token},
    )


def not_found(parameter: str) -> ApiError:
    """404 CMN-102: nothing of that id, or nothing this user may see."""
    return ApiError(
        404, "CMN-102", f"Resource for parameter [{parameter}] is not found", details={"parameterName": parameter}
    )


def invalid_uri() -> ApiError:
    """404 CMN-120: no such path."""
    return ApiError(404, "CMN-120", "Invalid URI")


def app_permission_missing(scope: str) -> ApiError:
    """403 CMN-401: the application lacks a scope."""
    return ApiError(
        403,
        "CMN-401",
        f"In order to call this API endpoint, application needs to have [{scope}] permission",
        top_code="InsufficientPermissions",
        details={"permissionName": scope},
    )


def user_permission_missing(permission: str) -> ApiError:
    """403 CMN-408: the user lacks a permission."""
    return ApiError(
        403,
        "CMN-408",
        f"In order to call this API endpoint, user needs to have [{permission}] permission for requested resource",
        top_code="InsufficientPermissions",
        details={"permissionName": permission},
    )


def range_not_satisfiable(size: int) -> ApiError:
    """416 CMN-107: a Range outside of the file."""
    return ApiError(416, "CMN-107", "Requested Range Not Satisfiable", headers={"Content-Range": f"bytes */{size}"})


def rate_exceeded(headers: Mapping[str, str]) -> ApiError:
    """429 CMN-301, with the rate-limit headers of the group."""
    return ApiError(429, "CMN-301", "Request rate exceeded", headers=headers)


def unauthorized(code: str, message: str, top_code: str | None = None) -> ApiError:
    """401 of an API call; it carries no rate-limit headers."""
    return ApiError(
        401, code, message, top_code=top_code, headers={"WWW-Authenticate": 'Bearer realm="RingCentral REST API"'}
    )
