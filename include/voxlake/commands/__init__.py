"""The commands of ``python -m voxlake``: a module each, with `add_parser`."""
