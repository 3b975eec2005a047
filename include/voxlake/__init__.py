"""Voxlake archives call recordings and call logs into a lake of Parquet and audio."""

from importlib.metadata import version

__version__ = version("voxlake")
