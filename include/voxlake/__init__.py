"""Voxlake archives call recordings and call logs into a lake of Parquet and audio."""
