"""
What a reader asks: times now, words and filters with search.

Pure, like ``console``. What holds here: a question printed and parsed again is
the same question.
"""
