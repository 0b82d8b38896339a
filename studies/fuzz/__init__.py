"""Feeds damaged, odd and hostile input to the command line (`scripts/fuzz`).

mutations   damage of bytes and of text
files       valid files of every kind that genmem reads, in many variants
cases       one case: files in a folder and the arguments of one command
worker      runs cases in a process of its own and judges how each ended
__main__    hands out cases, watches the clock, keeps what failed, prints the summary
"""
