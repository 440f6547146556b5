"""
What a server's console says: values in, values out.

No clock, socket, file or log: time comes in as an argument. Imports nothing of
the archiver but errors. What holds here: the same frames at the same times give
the same records, whatever carried them.
"""
