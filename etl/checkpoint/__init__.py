"""The state of every row, the directory of look-ups, runs; all SQL of the program but the sandbox's.

The waist of the hourglass: half one ends here and half two begins here. `staging` is half one's side, `journal` half
two's, `directory` remembers look-ups, `counts` tells what became of everything.
"""
