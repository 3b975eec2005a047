"""The steps of the archive, in the order of the data: extract, land, plan, download, merge, publish.

Each is a function of plain arguments that may be run again at any time, alone, or beside itself.
"""
