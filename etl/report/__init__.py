"""What became of every row: the files of a run, and the tally that must balance.

Everything here is made from the checkpoint and can be made again.
"""
