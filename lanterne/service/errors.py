"""Errors in the API's own shape: {"error": {"message", "type", "param", "code"}}."""

from lanterne.errors import LanterneError
from lanterne.paths import home


class APIError(LanterneError):
    """A request that is refused. code: a word for programs; param: the field it is about; retry: whether the same may work later."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None, retry: bool = False, headers: dict | None = None):
        super().__init__(message)
        self.status, self.code, self.param = status, code, param
        # The official SDKs repeat 408, 409, 429 and 5xx unless they are told not to.
        self.headers = {"x-should-retry": "true" if retry else "false"} | (headers or {})

    @property
    def body(self) -> dict:
        return {"error": {"message": str(self), "type": kind_of(self.status), "param": self.param, "code": self.code}}


def without_home(error: LanterneError) -> str:
    """The house's sentence for a client, who need not know where the server keeps its files."""
    return str(error).replace(f"{home()}/", "")


def kind_of(status: int) -> str:
    kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
    return "server_error" if status >= 500 else kinds.get(status, "invalid_request_error")


def invalid(message: str, param: str | None = None, code: str = "invalid_value") -> APIError:
    return APIError(400, code, message, param)


def not_found(noun: str, name: str, param: str = "id") -> APIError:
    """For what is not there and for what is somebody else's: the answer is the same."""
    return APIError(404, "not_found", f"There is no {noun} {name[:80]!r} among yours; check the id.", param)
