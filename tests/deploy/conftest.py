"""What the tests of the deployment share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

# As an operator fills in .env.example, and no more.
REQUIRED = {
    "COMPOSE_PROFILES": "celery",
    "POSTGRES_PASSWORD": "p0",
    "REDIS_PASSWORD": "r0",
    "API_SECRET_KEY": "a0",
    "JWT_SECRET": "j0",
    "ADMIN_PASSWORD": "admin0",
    "FERNET_KEY": "f0",
}

WriteEnv = Callable[..., Path]


@pytest.fixture
def write_env(tmp_path: Path) -> WriteEnv:
    """Writes a `.env`: the required settings, and those that are given; None leaves one out."""

    def write(**settings: str | None) -> Path:
        file = tmp_path / ".env"
        merged = REQUIRED | {"VOXLAKE_ENV_FILE": str(file)} | settings
        file.write_text("".join(f"{name}='{value}'\n" for name, value in merged.items() if value is not None))
        return file

    return write
