"""Sinch's Voice API, version 1: callbacks, recording instructions, calls. It knows nothing of lakes or DAGs."""
