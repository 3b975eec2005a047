"""A RingCentral look-alike over real HTTP: logins, the call log, recordings and quotas.

    with run_sandbox(SandboxConfig(seed=7)) as sandbox:
        client = ringcentral.SDK(sandbox.client_id, sandbox.client_secret, sandbox.platform_url)
        client.platform().login(jwt=sandbox.jwt)

`python -m sandbox.ringcentral --help` lists every knob.
"""

from sandbox.ringcentral.audio import tone_of
from sandbox.ringcentral.calls import CallRecord, Leg, Recording, Session
from sandbox.ringcentral.config import CallMix, QuotaLimit, SandboxConfig
from sandbox.ringcentral.faults import Fault
from sandbox.ringcentral.journal import RequestEntry
from sandbox.ringcentral.server import Sandbox, run_sandbox
from sandbox.ringcentral.world import Truth

__all__ = [
    "CallMix",
    "CallRecord",
    "Fault",
    "Leg",
    "QuotaLimit",
    "Recording",
    "RequestEntry",
    "Sandbox",
    "SandboxConfig",
    "Session",
    "Truth",
    "run_sandbox",
    "tone_of",
]
