"""A look-alike of Sinch's Voice API (version 1) over real HTTP, for the tests; never deployed."""

from sandbox.sinch.server import SinchSandbox, run_sinch_sandbox

__all__ = ["SinchSandbox", "run_sinch_sandbox"]
