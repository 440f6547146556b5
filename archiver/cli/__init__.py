"""
The command line: parse, call one operation, print.

What holds here: data on stdout, everything said to a person on stderr, and no
console text reaches a terminal with its control characters.
"""
