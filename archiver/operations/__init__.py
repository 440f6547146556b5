"""
What the archiver does: one verb a file, joining the rooms below.

No Click, no printing. What holds here: whatever a command does, a test or a
program can call.
"""
