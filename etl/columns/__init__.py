"""Columns of text by numpy and pyarrow: what half one shares below its stages.

A floor of its own, because the stages that need it (`validate`, `transform`, `associate`) do not know each other.
"""
