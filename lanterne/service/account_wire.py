"""What goes over the wire about one's own account: passwords, links that set one, passkeys, keys that act in a role."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lanterne.programme.people import LONGEST
from lanterne.service.access_wire import WHOLE, Given, Name, Secret

_BASE64URL = r"^[A-Za-z0-9_-]+$"


class ChangePassword(Given):
    current: Annotated[
        str | None, Field(max_length=LONGEST, pattern=r"^[^\x00]*$", description="The password of now, unless there is none.")
    ] = None
    password: Secret


class AskForLink(Given):
    email: Annotated[str, Field(max_length=254, pattern=r"^[^\x00]*$")]


class SetPassword(Given):
    password: Secret


class Credential(BaseModel):
    """A browser's PublicKeyCredential, as its toJSON() gives it."""

    model_config = ConfigDict(extra="allow")

    id: Annotated[str, Field(max_length=1400, pattern=_BASE64URL)]
    type: Literal["public-key"]
    response: dict


class AddPasskey(Given):
    credential: Credential
    name: Name


class SignInByPasskey(Given):
    credential: Credential


class MakeRoleKey(Given):
    name: Name
    scopes: Annotated[list[Literal["review", "admin"]], Field(min_length=1, description="Each needs its role: reviewer, operator.")]
    days: Annotated[int, Field(strict=True, ge=1, le=366, description="Until it expires."), WHOLE] = 90
    networks: Annotated[
        list[Annotated[str, Field(max_length=50)]], Field(default_factory=list, max_length=20, description="Such as 192.0.2.0/24.")
    ]


class Said(BaseModel):
    said: str


class PasswordLink(BaseModel):
    email: str
    expires_at: int


class Options(BaseModel):
    """options: what navigator.credentials takes as publicKey, after PublicKeyCredential.parse…OptionsFromJSON."""

    options: dict


class Passkey(BaseModel):
    id: str
    name: str
    added_at: int
    used_at: int | None


class Passkeys(BaseModel):
    data: list[Passkey]
